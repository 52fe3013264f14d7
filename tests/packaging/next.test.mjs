// Next.js with the app router: pages rendered on the server, a client component, and the page that
// refreshes for the server. First in front of the demo's API, then with `supertokens-node` in it,
// on our session core.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { openApp } from "./support/app.mjs";
import { startCore } from "./support/core.mjs";
import { openExpired, visit } from "./support/visit.mjs";

const policy = /^script-src 'self' 'nonce-[^']+' 'wasm-unsafe-eval'; connect-src 'self'$/;

/** Seconds. */
const VALIDITY = 3;

/** Where the app is by itself, and where its session core is. */
let own, core;

const { test } = await openApp("next", serve);

/** The port on which `next start` listens. @param {string} folder */
async function serve(folder) {
  const program = join(folder, "node_modules/next/dist/bin/next");
  const free = await freePort();
  own = `http://localhost:${free}`;
  core = await startCore({ access_token_validity: VALIDITY });
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", ORIGIN: own, SUPERTOKENS_CORE: core };
  const child = spawn(process.execPath, [program, "start", "--port", String(free)], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  after(() => child.kill());
  const ended = new Promise((_, fail) =>
    child.once("exit", (code) => fail(new Error(`next start ended with ${code}`))),
  );
  ended.catch(() => {});
  const port = new Promise((done) => {
    createInterface(child.stdout).on("line", (line) => {
      const [, port] = /http:\/\/localhost:(\d+)/.exec(line) ?? [];
      if (port) done(Number(port));
    });
  });
  return Promise.race([port, ended]);
}

test("login, expiry, refresh, logout", (visitor) => visit(visitor, { policy, showsUser: true }));

test("rendered on the server, nothing is known and nobody is asked", async (visitor) => {
  const html = await (await visitor.context.request.get("/")).text();
  assert.match(html, /<p id="server">unknown<\/p><p id="who">unknown<\/p>/);
  assert.deepEqual(await visitor.server.calls(), {});
});

test("a page of the server with an expired session: refreshed on /refresh-session, and back", async (visitor) => {
  const page = await openExpired(visitor, policy);
  await page.goto("/account");
  await page.getByRole("heading", { name: "ada" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/account");
  assert.deepEqual(visitor.requests, ["POST /auth/session/refresh"]);
  assert.deepEqual(await visitor.server.calls(), {
    "GET /api/account": 2,
    "POST /auth/session/refresh": 1,
  });
});

test("the same for a visitor without a session: to the login", async (visitor) => {
  const page = await visitor.context.newPage();
  await page.goto("/account");
  await page.waitForURL("/login?redirectBack=%2Faccount");
});

/** A tab on the app's own address, and what it sent to the session API. */
async function ownPage(visitor, path) {
  const page = await visitor.context.newPage();
  const calls = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/auth/")) calls.push(`${request.method()} ${pathname}`);
  });
  await page.goto(own + path);
  return { page, calls };
}

async function signIn(page) {
  await page.waitForFunction(() => window.app);
  assert.equal(
    await page.evaluate(async () => (await fetch("/sign-in", { method: "POST" })).status),
    200,
  );
}

const expired = () => new Promise((done) => setTimeout(done, (VALIDITY + 1) * 1000));

test("supertokens-node: a page shows its user without a call, and an expired session is refreshed on the way", async (visitor) => {
  const { page, calls } = await ownPage(visitor, "/");
  await signIn(page);
  calls.splice(0);
  await page.goto(`${own}/orders`);
  await page.getByRole("heading", { name: "ada" }).waitFor();
  assert.deepEqual(calls, []);

  await expired();
  const html = await visitor.context.request.get(`${own}/orders?tab=1&of=%2Fyou`, {
    maxRedirects: 0,
  });
  assert.equal(html.status(), 307);
  assert.equal(
    html.headers().location,
    "/refresh-session?redirectBack=%2Forders%3Ftab%3D1%26of%3D%252Fyou",
  );
  await page.goto(`${own}/orders?tab=1&of=%2Fyou`);
  await page.getByRole("heading", { name: "ada" }).waitFor();
  assert.equal(page.url(), `${own}/orders?tab=1&of=%2Fyou`);
  assert.deepEqual(calls, ["POST /auth/session/refresh"]);
});

test("supertokens-node: a visitor, and one whose session was revoked, get to the login", async (visitor) => {
  const { page } = await ownPage(visitor, "/orders?tab=1");
  await page.waitForURL(`${own}/login?redirectBack=%2Forders%3Ftab%3D1`);
  await page.goto(own);
  await signIn(page);
  const headers = { "content-type": "application/json" };
  const revoked = await fetch(`${core}/recipe/session/remove`, {
    method: "POST",
    headers,
    body: '{"userId":"ada"}',
  });
  assert.notEqual((await revoked.json()).sessionHandlesRevoked.length, 0);
  await expired();
  await page.goto(`${own}/orders`);
  await page.waitForURL(`${own}/login?redirectBack=%2Forders`);
});

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
