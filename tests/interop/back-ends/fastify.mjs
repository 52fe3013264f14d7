// The shop in Fastify.

import cors from "@fastify/cors";
import Fastify from "fastify";
import { errorHandler, plugin } from "supertokens-node/framework/fastify";
import { verifySession } from "supertokens-node/recipe/session/framework/fastify";
import { allowedHeaders, allowedMethods, init, port, routes, website } from "./shop.mjs";

init("fastify");
const app = Fastify();
app.setErrorHandler(errorHandler());
await app.register(cors, {
  origin: website,
  credentials: true,
  allowedHeaders: allowedHeaders(),
  methods: allowedMethods,
});
await app.register(plugin);
for (const { method, path, verify, headers = {}, answer } of routes) {
  app.route({
    method,
    url: path,
    ...(verify && { preHandler: verifySession(verify) }),
    async handler(req, res) {
      const said = await answer({
        req,
        res,
        body: req.body ?? {},
        params: req.params,
        headers: req.headers,
        session: req.session,
      });
      return res.headers(headers).type("application/json").send(JSON.stringify(said));
    },
  });
}
await app.listen({ host: "127.0.0.1", port });
