// The shop in Hapi.

import Hapi from "@hapi/hapi";
import { plugin } from "supertokens-node/framework/hapi";
import { verifySession } from "supertokens-node/recipe/session/framework/hapi";
import { allowedHeaders, init, port, routes, website } from "./shop.mjs";

init("hapi");
const cors = { origin: [website], additionalHeaders: allowedHeaders(), credentials: true };
const server = Hapi.server({ host: "127.0.0.1", port, routes: { cors } });
await server.register(plugin);
for (const { method, path, verify, headers = {}, answer } of routes) {
  server.route({
    method,
    path: path.replace(/:(\w+)/, "{$1}"),
    options: verify ? { pre: [{ method: verifySession(verify) }] } : {},
    async handler(req, h) {
      const said = await answer({
        req,
        res: h,
        body: req.payload ?? {},
        params: req.params,
        headers: req.headers,
        session: req.session,
      });
      const response = h.response(JSON.stringify(said)).type("application/json");
      for (const [name, value] of Object.entries(headers)) response.header(name, value);
      return response;
    },
  });
}
await server.start();
