// Requests per second of servers that do the same work, each on one core, with the load generator
// on another.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { alternate, check } from "../support/rounds.mjs";
import { CORES, isPinned, run, serve, temporaryFolder } from "../support/processes.mjs";
import * as strangers from "./flood.mjs";
import { startPostgres } from "./postgres.mjs";
import { refreshes, requests } from "./wrk.mjs";

/** Sessions that take turns, so that no server sees the same token twice in a row. */
const VISITORS = 256;
const PROGRAM = () => process.env.PASSERBY_BENCHES;

/** @param {import("../support/report.mjs").Report} report */
export async function server(report, { isQuick, sessions }) {
  if (!isPinned)
    console.log(
      "servers and load generator share what cores there are: there are not two, or this is " +
        "not Linux",
    );
  const seconds = isQuick ? 1 : 4;
  const times = { rounds: isQuick ? 2 : 5, warmUp: 1 };
  const folder = temporaryFolder();
  const file = (name) => join(folder, `${name}.db`);
  const node = (script, ...options) =>
    serve(["node", join(import.meta.dirname, script), ...options], {
      core: CORES.answers,
      env: { NODE_ENV: "production" },
    });
  const rust = (...options) => serve([PROGRAM(), ...options], { core: CORES.answers });
  const passerby = await rust("passerby", "--database", file("passerby"));
  const bare = await rust("bare");
  const tower = await rust("tower-sessions");
  const core = await serve(
    [process.env.PASSERBY_CORE, "core", "--port", "0", "--database", file("core")],
    {
      core: CORES.answers,
      env: { PASSERBY_SERVER_LOG: "warn" },
    },
  );
  const superTokens = await node("express-supertokens.mjs", core.address);
  const jose = await node("express-jose.mjs", passerby.address);

  /** A row of the table: the requests per second of each contestant. */
  async function perSecond(name, contestants, note) {
    const measured = await alternate(Object.values(contestants), times, (measure) => measure());
    report.add(
      "server",
      name,
      "requests/s",
      Object.fromEntries(Object.keys(contestants).map((who, index) => [who, measured[index]])),
      {
        isMoreBetter: true,
        note,
      },
    );
    return Object.fromEntries(Object.keys(contestants).map((who, index) => [who, measured[index]]));
  }

  /**
   * A function that loads a contestant. It asks once before and once after whether the contestant
   * does the work.
   */
  const asks = (address, request, expected) => async () => {
    await answers(address, request, expected);
    const rate = await requests(address, seconds, request);
    await answers(address, request, expected);
    return rate;
  };

  const users = {};
  for (const [who, { address }] of Object.entries({ passerby, superTokens, tower }))
    users[who] = await signIn(address, VISITORS);
  const guests = await newGuests(passerby.address, VISITORS);

  const user = (who, { address }) =>
    asks(address, { path: "/user", cookies: users[who] }, /^user0$/);
  await perSecond("user verify", {
    "Express + supertokens-node": user("superTokens", superTokens),
    passerby: user("passerby", passerby),
  });
  const id = /^[0-9a-f-]{36}$/;
  await perSecond("anonymous verify", {
    "Express + jose": asks(jose.address, { path: "/any", cookies: guests }, id),
    passerby: asks(passerby.address, { path: "/any", cookies: guests }, id),
  });
  await perSecond("anonymous mint", {
    "Express + createJWT of supertokens-node": asks(superTokens.address, { path: "/mint" }, id),
    "Express + jose": asks(jose.address, { path: "/mint" }, id),
    passerby: asks(passerby.address, { path: "/any" }, id),
  });

  const guarded = await rust("passerby", "--database", file("guarded"), "--mint-limits");
  const [guest] = await newGuests(guarded.address, 1);
  const asked = isQuick ? 200 : 2_000;
  const known = {
    idle: () => strangers.latency(guarded.address, guest, asked),
    passerby: async () => {
      const flood = await strangers.flood(guarded.address);
      const median = await strangers.latency(guarded.address, guest, asked);
      await flood.stop();
      return median;
    },
  };
  const medians = await alternate(Object.values(known), times, (measure) => measure());
  report.add(
    "server",
    `a known guest while ${strangers.CONNECTIONS} connections mint`,
    "µs",
    { idle: medians[0], passerby: medians[1] },
    {
      note: "median latency, with the limits that are on by default",
    },
  );
  guarded.stop();

  const without = (cookies) => asks(bare.address, { path: "/user", cookies }, /^ada$/);
  const [ofPeer, ofOurs] = ["no layer, cookies of tower-sessions", "no layer"];
  const layers = await perSecond("axum: a signed-in user's request", {
    [ofPeer]: without(users.tower),
    [ofOurs]: without(users.passerby),
    "tower-sessions": user("tower", tower),
    passerby: user("passerby", passerby),
  });
  // Less the same request to the app without a layer: to read a kilobyte of cookies takes HTTP's
  // own time, too.
  const overhead = (who, bare) =>
    layers[who].map((rate, round) => 1e6 / rate - 1e6 / layers[bare][round]);
  report.add("server", "axum: overhead of the layer", "µs", {
    "tower-sessions": overhead("tower-sessions", ofPeer),
    passerby: overhead("passerby", ofOurs),
  });

  const postgres = await startPostgres();
  const onPostgres = await rust("passerby", "--database", postgres.address);
  const stores = {
    SQLite: [passerby, file("passerby")],
    PostgreSQL: [onPostgres, postgres.address],
  };
  for (const [name, [{ address }, database]] of Object.entries(stores)) {
    const rows = {
      refresh: () => refreshes(address, seconds),
      "sign in": asks(address, { method: "POST", path: "/login?user=somebody" }, /^signed in$/),
    };
    const before = {};
    for (const [row, measure] of Object.entries(rows)) {
      const { passerby: measured } = await perSecond(`${row}, ${name}`, { passerby: measure });
      before[row] = measured;
    }
    const count = Number.parseInt(
      await run([PROGRAM(), "fill", "--database", database, "--sessions", String(sessions)]),
      10,
    );
    check(count >= sessions, `${count} sessions instead of ${sessions}`);
    for (const [row, measure] of Object.entries(rows)) {
      const [measured] = await alternate([measure], times, (measure) => measure());
      const [few, many] = [before[row], measured].map((rates) => rates.map((rate) => 1e6 / rate));
      report.add(
        "server",
        `${row} as sessions grow, ${name}`,
        "µs",
        { "with few sessions": few, passerby: many },
        {
          note: `Passerby with ${count.toLocaleString("en")} sessions`,
        },
      );
    }
  }
  for (const { stop } of [passerby, bare, tower, core, superTokens, jose, onPostgres, postgres])
    stop();
  rmSync(folder, { recursive: true, force: true });
}

/** One request and its answer, as the load generator sends it. */
async function answers(address, { method = "GET", path, cookies }, expected) {
  // As browser SDKs say it, which `supertokens-node` wants to know.
  const response = await fetch(address + path, {
    method,
    headers: { "st-auth-mode": "cookie", ...(cookies && { cookie: cookies[0] }) },
  });
  const body = await response.text();
  check(
    response.status === 200 && expected.test(body),
    `${method} ${address}${path} answers ${response.status} ${body.slice(0, 200)}`,
  );
  return response;
}

const cookiesOf = (response) => response.headers.getSetCookie().map((line) => line.split(";")[0]);

/** Cookie headers of so many users, as browsers send them with a request for the API. */
async function signIn(address, count) {
  const signed = [];
  for (let number = 0; number < count; number++) {
    const response = await answers(
      address,
      { method: "POST", path: `/login?user=user${number}` },
      /^signed in$/,
    );
    // The refresh token has a path of its own, and what was deleted is not sent.
    signed.push(
      cookiesOf(response)
        .filter((pair) => !/^(sRefreshToken=|[^=]+=$)/.test(pair))
        .join("; "),
    );
  }
  return signed;
}

/** Cookie headers of so many guests. */
async function newGuests(address, count) {
  const guests = [];
  for (let number = 0; number < count; number++)
    guests.push(cookiesOf(await answers(address, { path: "/any" }, /^[0-9a-f-]{36}$/)).join("; "));
  check(new Set(guests).size === count, "two guests are the same");
  return guests;
}
