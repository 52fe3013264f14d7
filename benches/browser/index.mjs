// Passerby and `supertokens-website` in the same Chromium, doing the same in the same pages.

import { join, resolve } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { alternate, check } from "../support/rounds.mjs";
import { serve, temporaryFolder } from "../support/processes.mjs";
import { FLAGS as CHROMIUM_FLAGS } from "../../tests/e2e/support/flags.mjs";
import { Front } from "./front.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const PEER = "supertokens-website";
const OURS = "passerby";
/** A page without an SDK, which nobody can be faster than. */
const NOTHING = "nothing";
const REFRESH = "POST /auth/session/refresh";
const FAR = 50;
/** Tabs in the background are measured, too. */
const FLAGS = [
  ...CHROMIUM_FLAGS,
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
  "--disable-backgrounding-occluded-windows",
];

/**
 * The scripts of a contestant, as an app's production build makes them: one file, and what is
 * loaded when it is first used.
 */
async function bundle(contestant) {
  const built = await Promise.all(
    ["first.js", "page.js"].map((entry) => bundleOf(contestant, entry)),
  );
  return Object.assign({}, ...built);
}

async function bundleOf(contestant, entry) {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, entry)],
    alias: {
      contestant: join(import.meta.dirname, "contestants", `${contestant}.js`),
      passerby: join(ROOT, "pkg/dist/index.js"),
    },
    bundle: true,
    minify: true,
    splitting: true,
    chunkNames: "chunk-[hash]",
    format: "esm",
    target: "es2022",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    outdir: "/",
    write: false,
  });
  return Object.fromEntries(outputFiles.map(({ path, contents }) => [path, contents]));
}

/** A contestant: a website with its API, and pages of it. */
class Contestant {
  name;
  front;
  context;

  constructor(name, front, context) {
    Object.assign(this, { name, front, context });
  }

  /** A page in a process of its own, where nothing of an earlier page is left. */
  async open(path) {
    const page = await this.context.newPage();
    await page.goto(this.front.origin + "/blank");
    if (path) await this.#load(page, path);
    return page;
  }

  async #load(page, path) {
    await page.goto(this.front.origin + path);
    await page.waitForFunction(() => globalThis.bench);
  }

  /** The visitor has signed in, and nothing else has happened. */
  async signIn() {
    await this.forgetVisitor();
    const page = await this.open("/app");
    check(
      (await page.evaluate(() => (bench.start(), bench.signIn()))) === "signed in",
      `${this.name} does not sign in`,
    );
    await page.close();
  }

  forgetVisitor() {
    return this.context.clearCookies({ domain: new URL(this.front.origin).hostname });
  }
}

/** @param {import("../support/report.mjs").Report} report */
export async function browser(report, { isQuick }) {
  const folder = temporaryFolder();
  const context = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: process.env.PASSERBY_CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
  const servers = [];
  const contestants = {};
  for (const name of [PEER, OURS, NOTHING]) {
    const front = await Front.start(`${name}.localhost`, await bundle(name));
    const options = [
      "passerby",
      "--database",
      join(folder, `${name}.db`),
      "--origin",
      front.origin,
    ];
    // The peer's back end has no anonymous sessions; those of its guests are the app's own.
    const api = await serve([
      process.env.PASSERBY_BENCHES,
      ...options,
      ...(name === OURS ? [] : ["--no-anonymous"]),
    ]);
    servers.push(api, front);
    front.backEnd = () => api.address;
    contestants[name] = new Contestant(name, front, context);
  }
  const guests = await guestsOfThePeer(folder);
  servers.push(...guests);
  const { backEnd } = contestants[PEER].front;
  contestants[PEER].front.backEnd = (path) =>
    path === "/any" || path === "/create-anonymous-session" ? guests[0].address : backEnd(path);

  const bench = new Bench(report, contestants, isQuick);
  try {
    await bench.navigation();
    await bench.newVisitor();
    await bench.questions();
    await bench.requests();
    await bench.expiry();
    await bench.tabs();
    await bench.mainThread();
    await bench.memory();
  } finally {
    await context.close();
    for (const server of servers) (server.stop ?? server.close).call(server);
  }
}

/** The source of a token for the peer's guests. */
async function guestsOfThePeer(folder) {
  const keys = await serve([
    process.env.PASSERBY_BENCHES,
    "passerby",
    "--database",
    join(folder, "keys.db"),
  ]);
  const script = join(import.meta.dirname, "../server/express-jose.mjs");
  return [await serve(["node", script, keys.address], { env: { NODE_ENV: "production" } }), keys];
}

class Bench {
  #report;
  #all;
  #isQuick;

  constructor(report, contestants, isQuick) {
    [this.#report, this.#all, this.#isQuick] = [report, contestants, isQuick];
  }

  get #both() {
    return [this.#all[PEER], this.#all[OURS]];
  }

  #times(rounds, warmUp = 1) {
    return this.#isQuick ? { rounds: 2, warmUp: 1 } : { rounds, warmUp };
  }

  #add(name, unit, [peer, ours], note) {
    this.#report.add("browser", name, unit, { [PEER]: peer, [OURS]: ours }, { note });
  }

  /** From the navigation to the answer to the first question of a visitor who has signed in. */
  async navigation() {
    for (const contestant of this.#both) await contestant.signIn();
    const slow = {
      cpu: 4,
      network: {
        offline: false,
        latency: 150,
        downloadThroughput: 200_000,
        uploadThroughput: 200_000,
      },
    };
    for (const [title, profile] of [
      ["", {}],
      [", CPU slowed 4 times, 1.6 Mbit/s, 150 ms", slow],
    ]) {
      for (const isCold of [false, true]) {
        const inits = new Map(this.#both.map(({ name }) => [name, []]));
        const times = this.#times(profile.cpu ? 10 : 20, 3);
        const all = [...this.#both, this.#all[NOTHING]];
        const [peer, ours, nothing] = await alternate(all, times, async (contestant) => {
          const { init, answered } = await this.#firstQuestion(contestant, isCold, profile);
          inits.get(contestant.name)?.push(init);
          return answered;
        });
        const cache = isCold ? "cold cache" : "warm cache";
        const values = { [PEER]: peer, [NOTHING]: nothing, [OURS]: ours };
        this.#report.add(
          "browser",
          `navigation to the first answer, ${cache}${title}`,
          "ms",
          values,
        );
        this.#add(
          `of it init, ${cache}${title}`,
          "ms",
          [...inits.values()].map((values) => values.slice(times.warmUp)),
        );
      }
    }
  }

  async #firstQuestion(contestant, isCold, { cpu, network }) {
    const page = await contestant.open();
    const session = await page.context().newCDPSession(page);
    if (isCold) await session.send("Network.clearBrowserCache");
    if (network) await session.send("Network.enable");
    if (network) await session.send("Network.emulateNetworkConditions", network);
    if (cpu) await session.send("Emulation.setCPUThrottlingRate", { rate: cpu });
    await page.goto(`${contestant.front.origin}/first`);
    const measured = await (await page.waitForFunction(() => globalThis.measured)).jsonValue();
    await page.close();
    check(measured.exists === true, `${contestant.name} knows of no session`);
    return measured;
  }

  /** Somebody who was never here, far from the server: until the API has answered them. */
  async newVisitor() {
    const trips = new Map();
    const measured = await alternate(this.#both, this.#times(10, 2), async (contestant) => {
      await contestant.forgetVisitor();
      const page = await contestant.open("/app");
      const { front } = contestant;
      front.calls.clear();
      front.delay = FAR;
      const took = await page.evaluate(() => bench.newVisitor());
      front.delay = 0;
      await page.close();
      trips.set(contestant.name, (trips.get(contestant.name) ?? []).concat(sum(front.calls)));
      return took;
    });
    this.#add("new visitor: init to the API's first answer, server 50 ms away", "ms", measured);
    this.#add(
      "new visitor: requests for it",
      "requests",
      this.#both.map(({ name }) => trips.get(name)),
    );
  }

  /** Functions that apps call all the time, with nothing to wait for. */
  async questions() {
    const expected = {
      doesSessionExist: "true",
      getUserId: "ada",
      getAccessTokenPayloadSecurely: "sub",
      getSnapshot: "authenticated",
    };
    const count = this.#isQuick ? 100 : 500;
    for (const cookies of [0, 30, 100]) {
      const pages = new Map();
      for (const contestant of this.#both) {
        await contestant.signIn();
        const page = await contestant.open("/app");
        await page.evaluate((count) => {
          for (let number = 0; number < count; number++)
            document.cookie = `foreign${number}=0123456789abcdef0123456789abcdef; Path=/`;
          bench.start();
        }, cookies);
        pages.set(contestant, page);
      }
      for (const [name, answer] of Object.entries(expected)) {
        const who = name === "getSnapshot" ? [this.#all[OURS]] : this.#both;
        const values = await alternate(who, this.#times(20, 3), async (contestant) => {
          const page = pages.get(contestant);
          await page.bringToFront();
          return page.evaluate((question) => bench.question(...question), [name, count, answer]);
        });
        const title = `${name}, ${cookies} foreign cookies`;
        if (who.length > 1) this.#add(title, "µs", values);
        else
          this.#report.add(
            "browser",
            title,
            "µs",
            { [OURS]: values[0] },
            { note: "the peer has no such function" },
          );
      }
      for (const page of pages.values()) await page.close();
    }
  }

  /** The cost of a request above that of one without an SDK. */
  async requests() {
    for (const contestant of this.#both) await contestant.signIn();
    const { origin } = this.#all[NOTHING].front;
    const foreign = `${origin.replace(`${NOTHING}.localhost`, "127.0.0.1")}/foreign`;
    const count = this.#isQuick ? 50 : 300;
    // Over the network, and twice each.
    const fewer = this.#isQuick ? 20 : 60;
    for (const method of ["GET", "POST"]) {
      await this.#inPages(
        "/stub",
        `intercepted fetch, ${method}, overhead over an immediate stub`,
        (page) => this.#fetches(page, method, "/immediate", count, true),
      );
    }
    await this.#inPages(
      "/stub",
      "fetch to a foreign domain, overhead over an immediate stub",
      (page) => this.#fetches(page, "GET", foreign, count, false),
    );
    for (const method of ["GET", "POST"]) {
      await this.#inPages("/app", `intercepted XHR, ${method}, overhead over loopback`, (page) =>
        page.evaluate(
          ([method, count]) => bench.xhrs(method, "/immediate", count),
          [method, fewer],
        ),
      );
    }
    await this.#inPages("/app", "XHR to a foreign domain, overhead over loopback", (page) =>
      page.evaluate(([url, count]) => bench.xhrs("GET", url, count), [foreign, fewer]),
    );
  }

  async #fetches(page, method, url, count, isOurs) {
    const { overhead, touched } = await page.evaluate(
      ([method, url, count]) => bench.fetches(method, url, count),
      [method, url, count],
    );
    check(touched === isOurs, `the SDK ${touched ? "touched" : "did not touch"} ${method} ${url}`);
    return overhead;
  }

  /** A row of what a started page of each measures. */
  async #inPages(path, title, measure) {
    const pages = new Map();
    for (const contestant of this.#both) {
      const page = await contestant.open(path);
      await page.evaluate(() => bench.start());
      pages.set(contestant, page);
    }
    const values = await alternate(this.#both, this.#times(20, 3), async (contestant) => {
      await pages.get(contestant).bringToFront();
      return measure(pages.get(contestant));
    });
    this.#add(title, "µs", values);
    for (const page of pages.values()) await page.close();
  }

  /** An access token that has expired, and twenty requests that find out together. */
  async expiry() {
    for (const contestant of this.#both) await contestant.signIn();
    const measured = await alternate(this.#both, this.#times(10, 2), (contestant) =>
      this.#expired(contestant, 1, 20),
    );
    this.#add(
      "expiry: 20 requests at once, server 50 ms away",
      "ms",
      measured,
      "floor 450 ms over HTTP/1.1, one refresh each",
    );
  }

  async tabs() {
    for (const contestant of this.#both) await contestant.signIn();
    const measured = await alternate(this.#both, this.#times(5, 1), (contestant) =>
      this.#expired(contestant, 8, 5),
    );
    this.#add(
      "expiry: 8 tabs with 5 requests each, server 50 ms away",
      "ms",
      measured,
      "one refresh each",
    );
  }

  async #expired({ name, front, ...contestant }, tabs, count) {
    const open = () => new Contestant(name, front, contestant.context).open("/app");
    const pages = [];
    for (let tab = 0; tab < tabs; tab++) pages.push(await open());
    for (const page of pages) await page.evaluate(() => bench.start());
    check(
      (await pages[0].evaluate(() => bench.expire())) === "expired",
      `${name}'s token does not expire`,
    );
    front.calls.clear();
    front.delay = FAR;
    const moment = Date.now() + 300 + 20 * tabs;
    const ends = await Promise.all(
      pages.map((page, tab) =>
        page.evaluate((all) => bench.atOnce(...all), [count, moment, `/user/${tab}`, "200 ada"]),
      ),
    );
    front.delay = 0;
    for (const page of pages) await page.close();
    const refreshes = front.calls.get(REFRESH);
    check(refreshes === 1, `${refreshes} refreshes by ${name}`);
    return Math.max(...ends) - moment;
  }

  /**
   * The time that a page's main thread is busy, without what the browser itself takes for a
   * request.
   */
  async mainThread() {
    const all = Object.values(this.#all);
    for (const contestant of this.#both) await contestant.signIn();
    const count = this.#isQuick ? 200 : 1_000;
    const pages = new Map();
    for (const contestant of all) {
      const page = await contestant.open("/app");
      await page.evaluate(() => bench.start());
      const session = await page.context().newCDPSession(page);
      await session.send("Performance.enable");
      pages.set(contestant, { page, session });
    }
    const measured = await alternate(all, this.#times(5, 1), async (contestant) => {
      const { page, session } = pages.get(contestant);
      await page.bringToFront();
      const busy = async () =>
        (await session.send("Performance.getMetrics")).metrics.find(
          ({ name }) => name === "TaskDuration",
        ).value * 1000;
      const before = await busy();
      await page.evaluate((count) => bench.inTurn(count, "/immediate"), count);
      return (await busy()) - before;
    });
    for (const { page } of pages.values()) await page.close();
    const without = measured[2];
    const over = (values) => values.map((value, round) => value - without[round]);
    this.#add(
      `main thread, ${count.toLocaleString("en")} intercepted requests`,
      "ms",
      [over(measured[0]), over(measured[1])],
      "without what the page takes by itself",
    );
  }

  /** Memory that is kept after many requests. */
  async memory() {
    for (const contestant of this.#both) await contestant.signIn();
    const count = this.#isQuick ? 2_000 : 10_000;
    const measured = await alternate(
      this.#both,
      { rounds: this.#isQuick ? 1 : 3, warmUp: 0 },
      async (contestant) => {
        const page = await contestant.open("/stub");
        const session = await page.context().newCDPSession(page);
        await page.evaluate(() => (bench.start(), bench.inTurn(1_000, "/immediate")));
        const kept = async () => {
          await session.send("HeapProfiler.collectGarbage");
          await session.send("HeapProfiler.collectGarbage");
          const { usedSize, backingStorageSize = 0 } = await session.send("Runtime.getHeapUsage");
          return usedSize + backingStorageSize;
        };
        const before = await kept();
        await page.evaluate((count) => bench.inTurn(count, "/immediate"), count);
        const more = (await kept()) - before;
        await page.close();
        return more / 1024;
      },
    );
    this.#add(`memory kept of ${count.toLocaleString("en")} intercepted requests`, "KiB", measured);
  }
}

const sum = (calls) => [...calls.values()].reduce((total, count) => total + count, 0);
