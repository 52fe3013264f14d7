// @ts-check
// A second back end, on a port of its own: writes down what arrives, and can ask for a refresh
// before it answers.

import { createServer } from "node:http";
import { listen } from "./listen.mjs";

/**
 * @param {string} host `localhost` belongs to the shop's session, as any port of the API's host
 *   does; `127.0.0.1` is a stranger's.
 */
export async function record(t, host) {
  const requests = [];
  const recorder = { requests, refusals: 0, url: "" };
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: body.toString() });
    for (const [name, value] of Object.entries(cors(host, headers)))
      response.setHeader(name, value);
    if (method === "OPTIONS") response.writeHead(204).end();
    else if (recorder.refusals-- > 0)
      response.writeHead(401).end('{"message":"try refresh token"}');
    else response.writeHead(200).end(body);
  });
  recorder.url = `http://${host}:${await listen(server)}/`;
  t.after(() => server.close());
  return recorder;
}

/** A stranger answers everybody, and so nobody with credentials. */
function cors(host, { origin = "" }) {
  if (host !== "localhost") return { "access-control-allow-origin": "*" };
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-allow-headers": "rid, st-auth-mode, anti-csrf, content-type",
    "access-control-allow-methods": "GET, POST, PUT",
  };
}
