// Pages that the server renders, and the way of a visitor through /refresh-session. The shop's real
// pages.

import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

const ANYTHING = /./;
const REFRESH = "POST /auth/session/refresh";

/** Paths of all pages that this tab shows from now on, and what it asked other hosts for. */
function follow(page) {
  const trail = { pages: [], foreign: [], dialogs: 0 };
  page.on("framenavigated", (frame) => {
    if (frame === page.mainFrame()) trail.pages.push(frame.url().replace(server.origin, ""));
  });
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== server.origin && protocol.startsWith("http")) trail.foreign.push(request.url());
  });
  page.on("dialog", (dialog) => {
    trail.dialogs += 1;
    void dialog.dismiss();
  });
  return trail;
}

/** Opens a page that may lead elsewhere before it has loaded. */
const open = (page, path) => page.goto(path, { waitUntil: "commit" });

test("/dashboard with an expired token: /refresh-session, and back on /dashboard", async (visitor) => {
  const { tab, anonymousId } = await visitor.returningCustomer();
  const { page } = tab;
  const trail = follow(page);

  await open(page, "/dashboard?from=mail");
  await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();

  assert.deepEqual(trail.pages, [
    "/refresh-session?redirectBack=%2Fdashboard%3Ffrom%3Dmail",
    "/dashboard?from=mail",
  ]);
  const calls = await server.calls(ANYTHING);
  assert.equal(calls["GET /dashboard"], 2);
  assert.equal(calls["GET /refresh-session"], 1);
  assert.equal(calls[REFRESH], 1);
  assert.equal(await page.locator("#ssr-anonymous-id").textContent(), anonymousId);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("/dashboard with a valid token is rendered at once, and changes no token", async (visitor) => {
  const { tab } = await visitor.customer();
  const before = [await visitor.cookie("sAccessToken"), await visitor.cookie("sRefreshToken")];
  const trail = follow(tab.page);
  await tab.page.goto("/dashboard");
  assert.deepEqual(trail.pages, ["/dashboard"]);
  assert.equal((await server.calls())[REFRESH], undefined);
  assert.deepEqual(
    [await visitor.cookie("sAccessToken"), await visitor.cookie("sRefreshToken")],
    before,
  );
});

test("/dashboard as a visitor: /refresh-session, then the login, no loop; and after it the dashboard", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const { page } = tab;
  const trail = follow(page);

  await open(page, "/dashboard");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();

  assert.deepEqual(trail.pages, [
    "/refresh-session?redirectBack=%2Fdashboard",
    "/login?redirectBack=%2Fdashboard",
  ]);
  const calls = await server.calls(ANYTHING);
  assert.equal(calls["GET /dashboard"], 1);
  assert.equal(calls["GET /refresh-session"], 1);
  assert.equal(calls[REFRESH], undefined, "there is nothing to refresh");
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);

  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("Password").fill("windowsill");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();
  assert.deepEqual(trail.pages.slice(2), ["/dashboard"]);
  assert.equal(await page.locator("#ssr-anonymous-id").textContent(), anonymousId);
});

test("/dashboard as somebody who has never been here: the login, no loop", async (visitor) => {
  const page = await visitor.context.newPage();
  const trail = follow(page);
  await open(page, "/dashboard");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(trail.pages, [
    "/refresh-session?redirectBack=%2Fdashboard",
    "/login?redirectBack=%2Fdashboard",
  ]);
  assert.equal((await server.calls())[REFRESH], 1);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("/dashboard after the session was revoked: the login, as a visitor with the same anonymousId", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await tab.post("/api/demo/revoke");
  const trail = follow(tab.page);
  await open(tab.page, "/dashboard");
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(trail.pages, [
    "/refresh-session?redirectBack=%2Fdashboard",
    "/login?redirectBack=%2Fdashboard",
  ]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  // The heading is in the HTML, and may be there before the script.
  await tab.page.waitForFunction(() => "passerby" in globalThis);
  assert.equal(await tab.page.evaluate(() => passerby.getSnapshot().anonymousId), anonymousId);
});

test("/refresh-session while the server cannot be reached says so, and works when tried again", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const { page } = tab;
  await page.route("**/auth/session/refresh", (route) => route.abort());
  await open(page, "/dashboard");
  await page.getByText("Your session could not be renewed.").waitFor();
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  await page.unroute("**/auth/session/refresh");
  await page.getByRole("link", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();
});

/** Where a target for `redirectBack` leads on our origin. */
const TARGETS = {
  [`${server.origin}/dashboard`]: "/dashboard",
  "/dashboard?a=b#c": "/dashboard?a=b#c",
  "https://evil.example": "/",
  "//evil.example": "/",
  "/\\evil.example": "/",
  "\\\\evil.example": "/",
  "https:evil.example": "/",
  " https://evil.example": "/",
  "ht\ntps://evil.example": "/",
  "https://localhost@evil.example": "/",
  "javascript:alert(1)": "/",
  "data:text/html,<script>alert(1)</script>": "/",
  [`blob:${server.origin}/nothing`]: "/",
  // The page's own scheme without slashes is a path, by the URL standard.
  "http:evil.example": "/evil.example",
  "/.//evil.example": "//evil.example",
  // The page itself would refresh and come back for ever.
  "": "/",
  "?redirectBack=": "/",
  "#top": "/",
  "/refresh-session?redirectBack=%2Frefresh-session": "/",
  [`${server.origin}/refresh-session`]: "/",
  // Requests to relative addresses fail on a page under an address with credentials.
  [`${server.origin.replace("://", "://u:p@")}/dashboard`]: "/dashboard",
};

test("redirectBack never leads away from our origin", async (visitor) => {
  const { tab } = await visitor.customer();
  const { page } = tab;
  const trail = follow(page);
  const reached = {};
  for (const target of Object.keys(TARGETS)) {
    await open(page, `/refresh-session?redirectBack=${encodeURIComponent(target)}`);
    await page.waitForURL((url) => url.pathname !== "/refresh-session", { waitUntil: "commit" });
    reached[target] = page.url().replace(server.origin, "");
    assert.doesNotThrow(
      () => new Request(new URL("/api/me", page.url())),
      "credentials in the address",
    );
  }
  assert.deepEqual(reached, TARGETS);
  assert.deepEqual(trail.foreign, []);
  assert.equal(trail.dialogs, 0);
});

test("nor does it after the login", async (visitor) => {
  const { tab } = await visitor.guest();
  const { page } = tab;
  const trail = follow(page);
  for (const target of ["//evil.example", "javascript:alert(1)", `blob:${server.origin}/nothing`]) {
    await open(page, `/refresh-session?redirectBack=${encodeURIComponent(target)}`);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.getByLabel("Name").fill("Ada");
    await page.getByLabel("Password").fill("windowsill");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${server.origin}/`);
    await page.evaluate(() => passerby.signOut());
  }
  assert.deepEqual(trail.foreign, []);
  assert.equal(trail.dialogs, 0);
});
