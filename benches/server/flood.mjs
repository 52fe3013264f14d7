// A guest whom the server knows, while others have sessions made as fast as it goes.

import http from "node:http";
import { check, quantile } from "../support/rounds.mjs";
import { CORES, launch } from "../support/processes.mjs";

export const CONNECTIONS = 16;

/** Twice the budget of the server by default: beyond that, strangers go without. */
const LEAST = 2_000;

/** Connections that never send a cookie, so that each request is that of a new visitor. */
export async function flood(address) {
  const wrk = launch(["wrk", "-t", "1", "-c", String(CONNECTIONS), "-d", "1h", `${address}/any`], {
    core: CORES.asks,
  });
  let printed = "";
  wrk.stdout.on("data", (text) => (printed += text));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const end = Date.now() + 10_000;
  // Until the server has made as many as it makes.
  while ((await ask(agent, address)).status !== 401)
    check(Date.now() < end, "the flood is not large enough: strangers still get sessions");
  agent.destroy();
  const stop = async () => {
    const ended = new Promise((done) => wrk.once("close", done));
    // It says then what it did.
    wrk.kill("SIGINT");
    await ended;
    const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1]);
    check(rate >= LEAST, `the flood was ${rate} requests in a second, and not ${LEAST}`);
    return rate;
  };
  return { stop };
}

/** The median of so many requests on one connection, one after the other, in microseconds. */
export async function latency(address, cookie, count) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const times = [];
  for (let number = 0; number < count; number++) {
    const start = process.hrtime.bigint();
    const { status, body } = await ask(agent, address, cookie);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
    check(status === 200 && /^[0-9a-f-]{36}$/.test(body), `a guest was answered ${status} ${body}`);
  }
  agent.destroy();
  return quantile(times, 0.5);
}

/** @returns {Promise<{ status: number, body: string }>} */
function ask(agent, address, cookie) {
  return new Promise((done, fail) => {
    const request = http.get(
      `${address}/any`,
      { agent, headers: cookie ? { cookie } : {} },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text) => (body += text));
        response
          .on("end", () => done({ status: response.statusCode ?? 0, body }))
          .on("error", fail);
      },
    );
    request.on("error", fail);
  });
}
