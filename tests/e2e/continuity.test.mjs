// Rule 5, seen from the browser: one anonymousId through everything that can happen, in any order,
// and each event in its place.
//
// PASSERBY_SEED=<seed> node --test tests/e2e/continuity.test.mjs repeats a sequence that failed.
// PASSERBY_SEQUENCES is how many are tried.

import assert from "node:assert/strict";
import { openShop } from "./support/browser.mjs";
import { expireSessions, replaceKey } from "./support/database.mjs";
import { mulberry32 } from "./support/random.mjs";

const SEED = Number(process.env.PASSERBY_SEED ?? Date.now() % 1_000_000);
/** As many on a slow machine as on a fast one. */
const SEQUENCES = Number(process.env.PASSERBY_SEQUENCES ?? 3);
/** Steps of a sequence. The first ones are one of each kind. */
const LENGTH = 30;

const { test, server } = await openShop();

const UPDATED = "ACCESS_TOKEN_PAYLOAD_UPDATED";
const ENDED = ["UNAUTHORISED(true)"];

/** The things that stand for a session of either kind, in cookies and in header mode. */
const USER_COOKIES = [
  ["sFrontToken", "sAccessToken", "sRefreshToken"],
  ["sFrontToken", "st-access-token", "st-refresh-token"],
];
const ANONYMOUS_COOKIES = [
  ["sAnonymousFrontToken", "sAnonymousToken"],
  ["sAnonymousFrontToken", "st-anonymous-token"],
];

/** A visitor with two tabs, and what must be true of them. */
class World {
  #visitor;
  #random;
  tabs = [];
  mode = "cookie";
  /** Of whoever is signed in. */
  user;
  anonymousId;
  /** The visitor's choice, which lies in the payload. */
  afterSignOut;

  constructor(visitor, random) {
    this.#visitor = visitor;
    this.#random = random;
  }

  get options() {
    return { anonymous: {}, tokenTransferMethod: this.mode };
  }

  async open() {
    await this.#visitor.context.clearCookies();
    if (this.tabs.length === 0) this.tabs = [await this.#visitor.tab(), await this.#visitor.tab()];
    await this.reload();
    this.anonymousId = (await this.tabs[0].fetch("/api/me")).body.anonymousId;
    await this.check();
  }

  async reload() {
    await Promise.all(this.tabs.map((tab) => tab.reload(this.options)));
  }

  pick(choices) {
    return choices[Math.floor(this.#random() * choices.length)];
  }

  /** The names of those cookies that are there. */
  cookie(...names) {
    return this.#visitor.context
      .cookies()
      .then((cookies) => cookies.find(({ name }) => names.includes(name)));
  }

  lose(name) {
    return this.#visitor.context.clearCookies({ name });
  }

  /** A request for customers only, in one way or another. */
  async account(tab) {
    const way = this.pick(["fetch", "xhr"]);
    return (await tab[way]("/api/account")).status;
  }

  /** The session ended against the visitor's will, and the payload went with it. */
  async findOut(tab) {
    assert.equal(await this.account(tab), 401);
    this.user = this.afterSignOut = undefined;
  }

  /**
   * Everybody agrees on who is there, without any event, and one kind of session holds, in one way.
   */
  async check() {
    const { anonymousId, user, afterSignOut } = this;
    const state = user ? "authenticated" : "anonymous";
    const [kept, gone] = user
      ? [USER_COOKIES, ANONYMOUS_COOKIES]
      : [ANONYMOUS_COOKIES, USER_COOKIES];
    const names = Object.keys(await this.#visitor.cookies());
    assert.deepEqual(
      names.filter((name) => gone.flat().includes(name)),
      [],
    );
    assert.equal(
      kept.filter((way) => way.every((name) => names.includes(name))).length,
      1,
      `one way of ${names}`,
    );
    assert.equal(
      names.filter((name) => kept.flat().includes(name)).length,
      kept[0].length,
      `nothing else: ${names}`,
    );
    for (const tab of this.tabs) {
      const { payload, ...known } = await tab.snapshot();
      assert.deepEqual([known.state, known.anonymousId], [state, anonymousId]);
      assert.equal(payload.afterSignOut, afterSignOut);
    }
    const tab = this.pick(this.tabs);
    const expected = user
      ? { kind: "user", userId: user, anonymousId }
      : { kind: "anonymous", anonymousId };
    assert.deepEqual((await tab.fetch("/api/me")).body, expected);
    assert.equal(await this.account(tab), user ? 200 : 401);
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
    assert.deepEqual(await tab.call("isAnonymous"), { value: !user });
    assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
  }
}

/**
 * The things that can happen. Each comes to the events that the acting tab must tell, in order;
 * updates of the payload are judged apart, because a user's token changes with each refresh. Those
 * of `NEEDS_USER` happen to customers only.
 */
const STEPS = {
  async login(world, tab) {
    const before = world.user;
    const name = world.pick(["Ada", "Grace"]);
    assert.equal((await tab.signIn(name)).status, 200);
    // Another session over the one that is there: nothing was carried over.
    if (before) world.afterSignOut = undefined;
    world.user = name.toLowerCase();
    return before ? [] : ["SESSION_CREATED"];
  },

  async refresh(world, tab) {
    assert.deepEqual(await tab.call("attemptRefreshingSession"), {
      value: world.user !== undefined,
    });
    return [world.user ? "REFRESH_SESSION" : "UNAUTHORISED(false)"];
  },

  async payloadUpdate(world, tab) {
    world.afterSignOut = world.afterSignOut ? undefined : "rotate";
    const { status } = await tab.post("/api/demo/after-sign-out", {
      policy: world.afterSignOut ?? "keep",
    });
    assert.equal(status, 204);
    assert.ok((await tab.eventNames()).includes(UPDATED));
    return [];
  },

  async expiredAccessToken(world, tab) {
    await tab.expire();
    assert.equal(await world.account(tab), 200);
    return ["REFRESH_SESSION"];
  },

  async expiredSession(world, tab) {
    await tab.expire();
    await expireSessions(server.database, world.user);
    await world.findOut(tab);
    return ENDED;
  },

  async revocation(world, tab) {
    assert.equal((await tab.post("/api/demo/revoke")).status, 200);
    await world.findOut(tab);
    return ENDED;
  },

  async theft(world, tab) {
    const { name, value } = await world.cookie("sRefreshToken", "st-refresh-token");
    const isCookie = name === "sRefreshToken";
    const headers = isCookie
      ? { cookie: `${name}=${value}` }
      : { authorization: `Bearer ${value}`, "st-auth-mode": "header" };
    const stolen = await server.fetch("/auth/session/refresh", { method: "POST", headers });
    assert.equal(stolen.status, 200);
    const cookies = stolen.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");
    const loot = isCookie
      ? { cookie: cookies }
      : { authorization: `Bearer ${stolen.headers.get("st-access-token")}` };
    assert.equal((await server.fetch("/api/account", { headers: loot })).status, 200);
    await tab.expire();
    await world.findOut(tab);
    return ["TOKEN_THEFT_DETECTED", ...ENDED];
  },

  async signOut(world, tab) {
    assert.deepEqual(await tab.call("signOut"), { value: undefined });
    world.user = undefined;
    if (world.afterSignOut === "rotate") await renewed(world, tab);
    return ["SIGN_OUT"];
  },

  async forget(world, tab) {
    assert.deepEqual(await tab.call("forgetAnonymousId"), { value: undefined });
    await renewed(world, tab);
    if (world.user) return [];
    world.afterSignOut = undefined;
    return ["ANONYMOUS_SESSION_REPLACED"];
  },

  async staticKeyChangedByHand() {
    await restarted(() => replaceKey(server.database, "static"));
    return [];
  },

  async dynamicKeyRotatedOut() {
    await restarted(() => replaceKey(server.database, "dynamic"));
    return [];
  },

  async otherTransferMode(world) {
    world.mode = world.mode === "cookie" ? "header" : "cookie";
    await world.reload();
    return [];
  },

  async deletedFrontCookies(world, tab) {
    for (const name of ["st-last-access-token-update", "sFrontToken", "sAnonymousFrontToken"])
      await world.lose(name);
    const { user, anonymousId } = world;
    assert.deepEqual(await tab.snapshot(), { state: "unknown" });
    assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
    return user ? ["SESSION_CREATED", "REFRESH_SESSION"] : ["ANONYMOUS_SESSION_CREATED"];
  },

  async serverRestart() {
    await restarted(() => {});
    return [];
  },
};

const NEEDS_USER = ["expiredAccessToken", "expiredSession", "revocation", "theft", "signOut"];

async function restarted(change) {
  await server.stop();
  await change();
  await server.start();
}

/** There is another id now, and it stays. */
async function renewed(world, tab) {
  const { anonymousId } = await tab.snapshot();
  assert.match(anonymousId, /^[0-9a-f-]{36}$/);
  assert.notEqual(anonymousId, world.anonymousId);
  world.anonymousId = anonymousId;
}

async function take(world, name) {
  await Promise.all(world.tabs.map((tab) => tab.forgetEvents()));
  const tab = world.pick(world.tabs);
  const wasUser = world.user !== undefined;

  const expected = await STEPS[name](world, tab);

  const events = await tab.events();
  const told = events.filter((event) => event.name !== UPDATED);
  assert.deepEqual(
    told.map((event) => event.name),
    expected,
  );
  const others = await Promise.all(
    world.tabs.filter((other) => other !== tab).map((other) => other.eventNames()),
  );
  assert.deepEqual(others.flat(), [], "an event is told in the tab where it happened");
  const updates = events.length - told.length;
  if (!wasUser && !world.user)
    assert.equal(
      updates,
      name === "payloadUpdate" ? 1 : 0,
      "a guest's payload changes only when the shop changes it",
    );
  // Inside of the callback it was so already.
  const { anonymousId, user } = world;
  const state = user ? "authenticated" : "anonymous";
  for (const event of told) {
    assert.deepEqual([event.state, event.anonymousId], [state, anonymousId], event.name);
    assert.deepEqual(event.answers, { exists: true, isAnonymous: !user, anonymousId }, event.name);
  }
  await world.check();
}

/** The same steps for the same seed. */
async function live(world, random, trace) {
  const shuffled = Object.keys(STEPS)
    .map((name) => [random(), name])
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);
  for (let count = 0; count < LENGTH; count++) {
    const name = shuffled[count] ?? world.pick(Object.keys(STEPS));
    for (const step of NEEDS_USER.includes(name) && !world.user ? ["login", name] : [name]) {
      trace.push(step);
      await take(world, step);
    }
  }
}

test(
  "rule 5: one anonymousId and the right events through everything that can happen, in any order",
  async (visitor, t) => {
    const start = Date.now();
    let tabs = [];
    for (let sequence = 0; sequence < SEQUENCES; sequence++) {
      const seed = SEED + sequence;
      const random = mulberry32(seed);
      const world = new World(visitor, random);
      const trace = [];
      world.tabs = tabs;
      try {
        await world.open();
        await live(world, random, trace);
      } catch (error) {
        throw new Error(`PASSERBY_SEED=${seed}, after ${trace.join(", ")}: ${error.message}`, {
          cause: error,
        });
      }
      tabs = world.tabs;
    }
    t.diagnostic(
      `${SEQUENCES} sequences in ${((Date.now() - start) / 1000).toFixed(1)} s, the first ` +
        `with seed ${SEED}`,
    );
  },
  {},
  SEQUENCES * 30_000,
);
