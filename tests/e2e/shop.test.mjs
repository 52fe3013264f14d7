// The shop itself, as its visitors see it: the real build, the real buttons.

import assert from "node:assert/strict";
import { devices } from "playwright-core";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

const { userAgent: _, ...PHONE } = devices["Pixel 7"];
const WIDE = { viewport: { width: 1440, height: 900 } };

for (const [where, name, options] of [
  ["in a wide window", "Zoë", WIDE],
  ["on a phone", "Çağla", PHONE],
]) {
  test(
    `from guest to customer and back, ${where}`,
    async (visitor) => {
      const page = await visitor.context.newPage();
      const cart = page.getByRole("region", { name: "Your sill" });
      const chip = page.locator("#panel-chip");

      // A guest fills the cart.
      await page.goto("/");
      await page.getByRole("button", { name: "Add Boston fern to your sill" }).click();
      await cart.getByText("Boston fern").waitFor();
      await page.getByRole("button", { name: "One more Boston fern" }).click();
      await cart.getByText("€30.00").first().waitFor();
      assert.equal(await chip.textContent(), "Anonymous");
      const { anonymousId } = await page.evaluate(() => passerby.getSnapshot());
      await page.reload();
      await cart.getByText("€30.00").first().waitFor();
      assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
      assert.equal((await server.calls())["POST /auth/session/refresh"], undefined);

      // The guest signs in.
      await page.getByRole("link", { name: "Sign in" }).click();
      await page.getByLabel("Name").fill(name);
      await page.getByLabel("Password").fill("windowsill");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL(`${server.origin}/`);
      await cart.getByText("€30.00").first().waitFor();
      assert.equal(await page.locator("#customer").textContent(), name);
      assert.equal(await chip.textContent(), "Authenticated");
      assert.deepEqual(await visitor.cookies(), COOKIES.user);

      // This is the page as the server rendered it.
      await page.getByRole("link", { name: "Dashboard" }).click();
      await page.getByRole("heading", { name: `Hello, ${name}` }).waitFor();
      await page.getByText("Boston fern × 2").waitFor();
      assert.equal(await page.locator("#ssr-anonymous-id").textContent(), anonymousId);

      // Out again: a guest, and the same one.
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL(`${server.origin}/`);
      await cart.getByText("Your sill is empty.").waitFor();
      assert.equal(await chip.textContent(), "Anonymous");
      assert.equal(await page.evaluate(() => passerby.getSnapshot().anonymousId), anonymousId);
      assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);

      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.equal(overflow, 0, "nothing sticks out of the window");
    },
    options,
  );
}

test("with the keyboard alone", async (visitor) => {
  const page = await visitor.context.newPage();
  await page.goto("/");
  await page.getByRole("button", { name: "Add Boston fern to your sill" }).waitFor();

  await tabTo(page, "Skip to content");
  await tabTo(page, "Add Boston fern to your sill");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Your sill" }).getByText("Boston fern").waitFor();
  await page.goto("/login");
  await tabTo(page, "Name");
  await page.keyboard.type("Ada");
  await tabTo(page, "Password");
  await page.keyboard.type("windowsill");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${server.origin}/`);
  await page.getByRole("region", { name: "Your sill" }).getByText("Boston fern").waitFor();
  await tabTo(page, "Sign out");
  await page.keyboard.press("Space");
  await page.getByText("You are a guest again.").waitFor();
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test(
  "the panel shows what a revoked session leads to",
  async (visitor) => {
    const page = await signedIn(visitor, "Ada");
    const { anonymousId } = await page.evaluate(() => passerby.getSnapshot());
    await page.getByRole("button", { name: "Revoke from the back end" }).click();
    await page.getByText("The server says: 401").waitFor();
    const entry = page.locator('#timeline li[data-action="UNAUTHORISED"]');
    await entry.getByText("doesSessionExist() → true").waitFor();
    await entry.getByText("isAnonymous() → true").waitFor();
    await entry.getByText("sessionExpiredOrRevoked: true").waitFor();
    assert.equal(await page.locator("#fact-anonymous-id").textContent(), anonymousId);
    assert.equal(await page.locator("#panel-chip").textContent(), "Anonymous");
    await page.getByRole("link", { name: "Sign in" }).waitFor();
  },
  WIDE,
);

test(
  "the panel shows what a stolen refresh token leads to",
  async (visitor) => {
    const page = await signedIn(visitor, "Ada");
    await page.getByRole("button", { name: "Replay a stolen refresh token" }).click();
    await page.getByText("The server says: 401").waitFor();
    const actions = await page
      .locator("#timeline li")
      .evaluateAll((items) => items.map((item) => item.dataset.action));
    assert.deepEqual(actions.slice(0, 2).reverse(), ["TOKEN_THEFT_DETECTED", "UNAUTHORISED"]);
    assert.equal(await page.locator("#panel-chip").textContent(), "Anonymous");
  },
  WIDE,
);

test(
  "the panel lets the token expire, and the next request refreshes it",
  async (visitor) => {
    const page = await signedIn(visitor, "Ada");
    await page.getByRole("button", { name: "Let the token expire now" }).click();
    await page.locator("#fact-expires", { hasText: "expired" }).waitFor();
    await visitor.forget();
    await page.getByRole("button", { name: "Ask for the account" }).click();
    await page.getByText("The server says: the account of Ada.").waitFor();
    assert.deepEqual(await server.calls(), {
      "GET /api/account": 2,
      "POST /auth/session/refresh": 1,
    });
  },
  WIDE,
);

test(
  "the panel switches anonymous sessions off and on, and remembers it",
  async (visitor) => {
    const page = await visitor.context.newPage();
    await page.goto("/");
    const state = page.locator("#session-states [aria-current]");
    await state.getByText("Anonymous").waitFor();
    await page.getByRole("switch", { name: "Anonymous sessions" }).click();
    await page.getByText("Anonymous sessions are off.").waitFor();
    assert.equal(await state.textContent(), "None");
    await page.reload();
    await page.getByRole("button", { name: "Add Aloe vera to your sill" }).click();
    await page.getByText("Your sill needs a session.").waitFor();
    assert.deepEqual(await visitor.cookies(), COOKIES.none);
    await page.getByRole("switch", { name: "Anonymous sessions" }).click();
    await page.getByText("Anonymous sessions are on.").waitFor();
    assert.equal(await state.textContent(), "Anonymous");
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  },
  WIDE,
);

test(
  "the panel shows each payload update, and what came along with the login",
  async (visitor) => {
    const page = await visitor.context.newPage();
    const payload = page.locator("#fact-payload");
    const updates = page.locator('#timeline [data-action="ACCESS_TOKEN_PAYLOAD_UPDATED"]');
    await page.goto("/");
    await page.getByRole("button", { name: "Add Boston fern to your sill" }).click();
    await payload.getByText('{"cart":{"fern":1}}').waitFor();
    await page.getByRole("button", { name: "One more Boston fern" }).click();
    await updates.first().getByText('payload: {"cart":{"fern":2}}').waitFor();
    assert.equal(await updates.count(), 2);

    await page.getByRole("link", { name: "Sign in" }).click();
    await signIn(page, "Hedy");

    const created = page.locator('#timeline [data-action="SESSION_CREATED"]');
    await created.getByText("payload: ").waitFor();
    for (const text of [
      await payload.textContent(),
      (await created.locator("code").textContent()).slice("payload: ".length),
    ]) {
      assert.deepEqual(JSON.parse(text), { name: "Hedy", plantsBrought: 2 });
    }
    await page.getByRole("region", { name: "Your sill" }).getByText("€30.00").first().waitFor();
  },
  WIDE,
);

const POLICIES = { keep: "keep the anonymousId", rotate: "get a new one (shared device)" };

for (const [where, options] of [
  ["in a wide window", WIDE],
  ["on a phone", PHONE],
]) {
  const open = async (page) => {
    const isOpen = await page.locator("#panel").evaluate((panel) => panel.open);
    if (!isOpen) await page.locator("#panel summary").tap();
  };

  test(
    `the visitor chooses what sign-out does, ${where}`,
    async (visitor) => {
      const page = await visitor.context.newPage();
      await page.goto("/login");
      for (const [policy, label] of Object.entries(POLICIES).reverse()) {
        await signIn(page, "Ada");
        await open(page);
        const radio = page.getByRole("radio", { name: label });
        await radio.check();
        await page.getByText(`When you sign out, you ${label}.`).waitFor();
        const { anonymousId, payload } = await page.evaluate(() => passerby.getSnapshot());
        assert.equal(payload.afterSignOut, policy === "keep" ? undefined : policy);
        // As on any page from here on.
        await page.reload();
        await page.locator("#customer").waitFor();
        await open(page);
        assert.equal(await radio.isChecked(), true);

        await page.getByRole("button", { name: "Sign out" }).click();
        await page.getByText("You are a guest again.").waitFor();

        const next = await page.evaluate(() => passerby.getSnapshot().anonymousId);
        assert.equal(next === anonymousId, policy === "keep");
        assert.equal(await page.locator("#fact-anonymous-id").textContent(), next);
        await open(page);
        assert.equal(await radio.isChecked(), true, "the guest has the choice of the customer");
        await page.goto("/login");
      }
    },
    options,
  );

  test(
    `the visitor asks to be forgotten, as a guest and as a customer, ${where}`,
    async (visitor) => {
      const page = await visitor.context.newPage();
      const ids = new Set();
      const forget = async () => {
        await open(page);
        ids.add(await page.locator("#fact-anonymous-id").textContent());
        const button = page.getByRole("button", { name: "Forget me" });
        await (options === PHONE ? button.tap() : button.click());
        await page.getByText("Your old anonymousId is gone.").waitFor();
        ids.add(await page.locator("#fact-anonymous-id").textContent());
      };
      await page.goto("/");
      await page.getByRole("button", { name: "Add Boston fern to your sill" }).click();
      const cart = page.getByRole("region", { name: "Your sill" });
      await cart.getByText("Boston fern").waitFor();
      await forget();
      await cart.getByText("Your sill is empty.").waitFor();
      await page.locator('#timeline [data-action="ANONYMOUS_SESSION_REPLACED"]').waitFor();

      await page.goto("/login");
      await signIn(page, "Ada");
      await page.goto("/dashboard");
      await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();
      await forget();
      const last = [...ids].at(-1);
      assert.equal(ids.size, 3, `${[...ids]}`);
      assert.equal(await page.locator("#ssr-anonymous-id").textContent(), last);
      await page.reload();
      assert.equal(
        await page.locator("#ssr-anonymous-id").textContent(),
        last,
        "the server says the same",
      );
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.equal(overflow, 0, "nothing sticks out of the window");
    },
    options,
  );
}

for (const [where, options] of [
  ["in a wide window", WIDE],
  ["in a narrow one", { viewport: { width: 412, height: 839 } }],
]) {
  test(
    `choosing and being forgotten with the keyboard alone, ${where}`,
    async (visitor) => {
      const page = await visitor.context.newPage();
      await page.goto("/");
      await page.getByRole("button", { name: "Add Boston fern to your sill" }).waitFor();
      const snapshot = () => page.evaluate(() => passerby.getSnapshot());
      const { anonymousId } = await snapshot();
      if (options !== WIDE) {
        await tabTo(page, /^Session/);
        await page.keyboard.press("Enter");
      }
      await tabTo(page, POLICIES.keep);
      await page.keyboard.press("ArrowDown");
      await page.getByText(`When you sign out, you ${POLICIES.rotate}.`).waitFor();
      assert.equal((await snapshot()).payload.afterSignOut, "rotate");
      await page.keyboard.press("ArrowUp");
      await page.getByText(`When you sign out, you ${POLICIES.keep}.`).waitFor();
      assert.equal((await snapshot()).payload.afterSignOut, undefined);
      await tabTo(page, "Forget me");
      await page.keyboard.press("Enter");
      await page.getByText("Your old anonymousId is gone.").waitFor();
      assert.notEqual((await snapshot()).anonymousId, anonymousId);
    },
    options,
  );
}

test(
  "without a session there is nothing to choose and nobody to forget",
  async (visitor) => {
    const page = await visitor.context.newPage();
    await page.goto("/");
    const controls = [
      page.getByRole("button", { name: "Forget me" }),
      page.getByRole("radio", { name: POLICIES.rotate }),
    ];
    await page.locator("#panel-chip", { hasText: "Anonymous" }).waitFor({ state: "attached" });
    for (const control of controls) assert.equal(await control.isEnabled(), true);
    await page.getByRole("switch", { name: "Anonymous sessions" }).click();
    await page.getByText("Anonymous sessions are off.").waitFor();
    for (const control of controls) assert.equal(await control.isDisabled(), true);
    await signedIn(visitor, "Ada");
    await page.reload();
    await page.locator("#customer").waitFor();
    for (const control of controls) assert.equal(await control.isEnabled(), true);
  },
  WIDE,
);

test("the dashboard shows nothing of a customer whose session has ended", async (visitor) => {
  const { tab } = await visitor.customer("Ada");
  const { page } = tab;
  await page.goto("/dashboard");
  await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();

  await page.click("#demo-revoke");

  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  assert.equal(await page.getByText("Hello, Ada").count(), 0);
  await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
  await page.waitForURL("**/login?redirectBack=/dashboard");
});

async function signedIn(visitor, name) {
  const page = await visitor.context.newPage();
  await page.goto("/login");
  await signIn(page, name);
  return page;
}

/** Fills in the form of the login page. */
async function signIn(page, name) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill("windowsill");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#customer").waitFor();
  await page.waitForURL(`${server.origin}/`);
}

/**
 * Presses the tab key until the element of this name has the focus.
 * @param {string | RegExp} name
 */
async function tabTo(page, name) {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return (
        element.getAttribute("aria-label") ??
        element.labels?.[0]?.textContent ??
        element.textContent
      );
    });
    if (name instanceof RegExp ? name.test(focused.trim()) : focused.trim() === name) return;
  }
  assert.fail(`the tab key does not reach "${name}"`);
}
