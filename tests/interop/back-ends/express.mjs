// The shop in Express.

import cors from "cors";
import express from "express";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import { verifySession } from "supertokens-node/recipe/session/framework/express";
import { allowedHeaders, init, port, routes, website } from "./shop.mjs";

init("express");
const app = express();
app.use(cors({ origin: website, credentials: true, allowedHeaders: allowedHeaders() }));
app.use(express.json());
app.use(middleware());
for (const { method, path, verify, headers = {}, answer } of routes) {
  app[method.toLowerCase()](path, ...(verify ? [verifySession(verify)] : []), async (req, res) => {
    const { body, params, session } = req;
    const said = await answer({ req, res, body, params, headers: req.headers, session });
    res.set(headers).json(said);
  });
}
app.use(errorHandler());
app.listen(port, "127.0.0.1");
