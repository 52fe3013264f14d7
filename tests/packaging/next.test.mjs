// Next.js with the app router: pages rendered on the server, a client component, and the page that refreshes for the server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { openApp } from "./support/app.mjs";
import { openExpired, visit } from "./support/visit.mjs";

const policy = /^script-src 'self' 'nonce-[^']+' 'wasm-unsafe-eval'; connect-src 'self'$/;

const { test } = await openApp("next", serve);

/** The port on which `next start` listens. @param {string} folder */
async function serve(folder) {
  const program = join(folder, "node_modules/next/dist/bin/next");
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
  const child = spawn(process.execPath, [program, "start", "--port", "0"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  after(() => child.kill());
  const ended = new Promise((_, fail) => child.once("exit", (code) => fail(new Error(`next start ended with ${code}`))));
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
  assert.deepEqual(await visitor.server.calls(), { "GET /api/account": 2, "POST /auth/session/refresh": 1 });
});

test("the same for a visitor without a session: to the login", async (visitor) => {
  const page = await visitor.context.newPage();
  await page.goto("/account");
  await page.waitForURL("/login?redirectBack=%2Faccount");
});
