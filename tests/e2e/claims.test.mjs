// Claims: what a back end refuses for want of one, and what the page checks by itself.

import assert from "node:assert/strict";
import { openShop } from "./support/browser.mjs";

const { test } = await openShop();

const ERRORS = [
  { id: "st-ev", reason: { message: "wrong value", expectedValue: true, actualValue: false } },
];

/** Routes of the app's API that refuse, each in its own way. */
async function refusing(tab) {
  const bodies = {
    claim: [
      "application/json; charset=utf-8",
      JSON.stringify({ message: "invalid claim", claimValidationErrors: ERRORS }),
    ],
    own: ["application/json", '{"message":"not yours"}'],
    text: ["text/plain", JSON.stringify({ claimValidationErrors: ERRORS })],
    broken: ["application/json", "{"],
    empty: ["application/json", ""],
  };
  await tab.page.route("**/api/refuse/*", (route) => {
    const [contentType, body] = bodies[new URL(route.request().url()).pathname.split("/").at(-1)];
    return route.fulfill({ status: 403, contentType, body });
  });
}

async function customer(visitor) {
  const tab = await visitor.tab();
  await refusing(tab);
  await tab.run(() => {
    window.claims = [];
    harness.start({
      anonymous: {},
      onHandleEvent: ({ action, claimValidationErrors }) =>
        action === "API_INVALID_CLAIM" && window.claims.push(claimValidationErrors),
    });
  });
  await tab.signIn("Ada");
  return tab;
}

test("a refusal for want of a claim is told before the answer, whose body stays to be read", async (visitor) => {
  const tab = await customer(visitor);
  const { status, body } = await tab.fetch("/api/refuse/claim");
  assert.deepEqual([status, body.claimValidationErrors], [403, ERRORS]);
  assert.deepEqual(await tab.run(() => window.claims), [ERRORS]);
});

test("claims that cannot be sent to other tabs are told in this one", async (visitor) => {
  const tab = await visitor.tab();
  await refusing(tab);
  const seen = await tab.run(async () => {
    const seen = [];
    harness.start({
      eventsOfOtherTabs: true,
      onHandleEvent: ({ action, claimValidationErrors }) =>
        seen.push([action, typeof claimValidationErrors?.[0].reason]),
      override: {
        functions: (original) => ({
          ...original,
          // A function is no message.
          getInvalidClaimsFromResponse: async () => [{ id: "own", reason: () => "too young" }],
        }),
      },
    });
    await fetch("/api/refuse/claim");
    return seen;
  });
  assert.deepEqual(seen.at(-1), ["API_INVALID_CLAIM", "function"]);
  assert.match(visitor.takeProblems().join(), /could not be cloned/);
});

test("over XMLHttpRequest too, whatever the responseType", async (visitor) => {
  const tab = await customer(visitor);
  for (const type of ["", "json", "text", "blob", "arraybuffer"]) {
    const told = await tab.run(async (type) => {
      window.claims.splice(0);
      const xhr = new XMLHttpRequest();
      xhr.open("GET", "/api/refuse/claim");
      xhr.responseType = type;
      const order = [];
      xhr.onerror = () => order.push("error");
      await new Promise((done) => {
        xhr.onload = () => done(order.push(`load after ${window.claims.length}`));
        xhr.send();
      });
      return [order, xhr.status, window.claims];
    }, type);
    assert.deepEqual(told, [["load after 1"], 403, [ERRORS]], type);
  }
});

test("refusals of the app's own pass in silence", async (visitor) => {
  const tab = await customer(visitor);
  for (const kind of ["own", "text", "broken", "empty"]) {
    assert.equal((await tab.fetch(`/api/refuse/${kind}`)).status, 403, kind);
    assert.equal((await tab.xhr(`/api/refuse/${kind}`)).status, 403, kind);
  }
  assert.deepEqual(await tab.run(() => window.claims), []);
});

test("getInvalidClaimsFromResponse reads a Response and an axios response", async (visitor) => {
  const tab = await customer(visitor);
  const read = await tab.run(async () => {
    const response = await fetch("/api/refuse/claim");
    const first = await passerby.getInvalidClaimsFromResponse({ response });
    const data = await response.json();
    const others = [{ data }, { data: JSON.stringify(data) }, { data: {} }];
    return [
      first,
      ...(await Promise.all(
        others.map((response) => passerby.getInvalidClaimsFromResponse({ response })),
      )),
    ];
  });
  assert.deepEqual(read, [ERRORS, ERRORS, ERRORS, undefined]);
  const broken = await tab.run(async () =>
    passerby
      .getInvalidClaimsFromResponse({ response: await fetch("/api/refuse/broken") })
      .catch(({ name }) => name),
  );
  assert.equal(broken, "SyntaxError");
});

test("getClaimValue and validateClaims look at the real payload; three checks at once refresh a claim once", async (visitor) => {
  const tab = await customer(visitor);
  const anonymousId = (await tab.call("getAnonymousId")).value;
  const result = await tab.run(async () => {
    let refreshes = 0;
    const validator = {
      id: "fresh",
      refresh: async () => void refreshes++,
      shouldRefresh: () => refreshes === 0,
      validate: (payload, { wanted }) => ({
        isValid: payload.anonymousId === wanted,
        reason: { wanted },
      }),
    };
    const claim = { getValueFromPayload: (payload, { key }) => payload[key] };
    const id = await passerby.getClaimValue({ claim, userContext: { key: "anonymousId" } });
    const check = (wanted) =>
      passerby.validateClaims((globals) => [...globals, validator], { wanted });
    const good = await Promise.all([check(id), check(id), check(id)]);
    const forWeb = await passerby.Session.validateClaims({
      overrideGlobalClaimValidators: () => [validator],
      userContext: { wanted: 7 },
    });
    return [id, good, refreshes, forWeb, await passerby.validateClaims()];
  });
  assert.deepEqual(result, [
    anonymousId,
    [[], [], []],
    1,
    [{ id: "fresh", reason: { wanted: 7 } }],
    [],
  ]);
});

test("without a session a check rejects, as the payload does", async (visitor) => {
  const tab = await visitor.tab({ anonymous: { enabled: false } });
  const [name, message] = await tab.run(() =>
    passerby
      .validateClaims(() => [
        {
          id: "x",
          refresh: async () => {},
          shouldRefresh: () => false,
          validate: () => ({ isValid: true }),
        },
      ])
      .catch(({ name, message }) => [name, message]),
  );
  assert.deepEqual([name, message], ["SessionError", "No session exists"]);
});
