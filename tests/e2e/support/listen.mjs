// @ts-check
// A server of a test, on a port that nobody else has.

import { once } from "node:events";

/**
 * The port, once the server listens.
 * @param {import("node:net").Server} server
 * @param {string} [host] whose connections it takes
 */
export async function listen(server, host = "127.0.0.1") {
  await once(server.listen(0, host), "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return port;
}
