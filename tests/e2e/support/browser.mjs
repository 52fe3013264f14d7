// @ts-check
// A test file's world: one Chromium, one server, and for each test a visitor who has never been
// here.

import assert from "node:assert/strict";
import { after, test as nodeTest } from "node:test";
import { chromium } from "playwright-core";
import { Tab } from "./page.mjs";
import { FLAGS } from "./flags.mjs";
import { Server } from "./server.mjs";

export { FLAGS };

const TEST_TIMEOUT = 30_000;
const WAIT_TIMEOUT = 10_000;

const LATEST = { "st-last-access-token-update": "Lax /" };

/** All the cookies there are, by the visitor's state. */
export const COOKIES = {
  unknown: {},
  none: LATEST,
  anonymous: { ...LATEST, sAnonymousToken: "HttpOnly Lax /", sAnonymousFrontToken: "Lax /" },
  user: {
    ...LATEST,
    sAccessToken: "HttpOnly Lax /",
    sRefreshToken: "HttpOnly Lax /auth/session/refresh",
    sFrontToken: "Lax /",
  },
};

export function launch() {
  return chromium.launch({
    executablePath: process.env.PASSERBY_CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
}

/**
 * Opens a shop for the tests of one file. `shop.test(name, async (visitor, t) => …)` is a test.
 * @param {import("./server.mjs").ServerOptions} [options]
 */
export function openShop(options) {
  return open(Server.start(options));
}

/**
 * The same with any server.
 * @param {Promise<{ origin: string, forgetCalls(): unknown, close(): unknown }>} starting
 */
export async function open(starting) {
  const [server, browser] = await Promise.all([starting, launch()]);
  after(() => Promise.all([server.close(), browser.close()]));

  /** @param {import("playwright-core").BrowserContextOptions} [contextOptions] */
  function test(name, run, contextOptions, timeout = TEST_TIMEOUT) {
    nodeTest(name, { timeout }, async (t) => {
      const context = await browser.newContext({ baseURL: server.origin, ...contextOptions });
      t.after(() => context.close());
      context.setDefaultTimeout(WAIT_TIMEOUT);
      const visitor = new Visitor(server, context);
      await visitor.forget();
      await run(visitor, t);
      assert.deepEqual(visitor.problems, [], "nothing is left in the console");
    });
  }

  return { server, test };
}

/** The same tests, named after the rule of docs/anonymous-sessions.md that they are about. */
export const ofRule =
  (rule, test) =>
  (name, ...rest) =>
    test(`rule ${rule}: ${name}`, ...rest);

/** One person with one browser. */
export class Visitor {
  server;
  context;
  /** Warnings and errors that pages wrote to the console, and errors that nobody caught. */
  problems = [];
  /**
   * Requests to the API in the order in which the browser sent them, for example
   * `POST /auth/session/refresh`.
   */
  requests = [];
  #answers = [];
  #tabs = [];

  constructor(server, context) {
    this.server = server;
    this.context = context;
    context.on("weberror", (error) => this.problems.push(String(error.error())));
    context.on("console", (message) => {
      // The browser's own line for every status from 400 up says nothing new.
      const isOfBrowser = message.text().startsWith("Failed to load resource");
      if (["warning", "error"].includes(message.type()) && !isOfBrowser)
        this.problems.push(message.text());
    });
    context.on("request", (request) => {
      const { origin, pathname } = new URL(request.url());
      if (origin === server.origin && /^\/(api|auth)\//.test(pathname))
        this.requests.push(`${request.method()} ${pathname}`);
    });
    context.on("response", (response) => this.#answers.push(response));
  }

  /** A new tab with the bare test page, and the SDK started with these options. */
  async tab(options) {
    const tab = new Tab(await this.context.newPage());
    await tab.page.goto("/blank.html");
    if (options) await tab.init(options);
    this.#tabs.push(tab);
    return tab;
  }

  /** A tab of somebody who has been here: anonymous, known to the server, nothing counted yet. */
  async guest(options = { anonymous: {} }) {
    const tab = await this.tab(options);
    const { body } = await tab.fetch("/api/me");
    assert.equal(body.kind, "anonymous");
    await this.forget();
    return { tab, anonymousId: body.anonymousId };
  }

  /** A tab of somebody who has signed in. */
  async customer(name = "Ada", options = { anonymous: {} }) {
    const { tab, anonymousId } = await this.guest(options);
    const { status } = await tab.signIn(name);
    assert.equal(status, 200);
    await this.forget();
    return { tab, anonymousId };
  }

  /** A tab of somebody who signed in, and whose access token has expired. */
  async returningCustomer(name, options) {
    const { tab, anonymousId } = await this.customer(name, options);
    const { status } = await tab.expire();
    assert.equal(status, 200);
    await this.forget();
    return { tab, anonymousId };
  }

  /** The counts and notes so far. */
  async forget() {
    await this.server.forgetCalls();
    await Promise.all(this.#tabs.map((tab) => tab.forgetEvents()));
    this.requests.splice(0);
    this.#answers.splice(0);
  }

  /** Paths of the answers that brought an anonymous token. */
  async minted() {
    const brought = await Promise.all(
      this.#answers.map(async (response) =>
        (await response.headersArray()).some(
          ({ name, value }) => /^set-cookie$/i.test(name) && /^sAnonymousToken=[^;]/m.test(value),
        ),
      ),
    );
    return this.#answers
      .filter((_, index) => brought[index])
      .map((response) => new URL(response.url()).pathname);
  }

  /** Hands over what stands in the console, and so allows it. */
  takeProblems() {
    return this.problems.splice(0);
  }

  /** Names and attributes of all cookies, for comparing with `COOKIES`. */
  async cookies() {
    const cookies = await this.context.cookies();
    const names = cookies.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, `a name twice: ${names}`);
    return Object.fromEntries(
      cookies.map(({ name, httpOnly, sameSite, path }) => [
        name,
        `${httpOnly ? "HttpOnly " : ""}${sameSite} ${path}`,
      ]),
    );
  }

  /** @param {string} name */
  async cookie(name) {
    return (await this.context.cookies()).find((cookie) => cookie.name === name)?.value;
  }
}
