// The shop in Koa.

import cors from "@koa/cors";
import Router from "@koa/router";
import Koa from "koa";
import { bodyParser } from "@koa/bodyparser";
import { middleware } from "supertokens-node/framework/koa";
import { verifySession } from "supertokens-node/recipe/session/framework/koa";
import { allowedHeaders, allowedMethods, init, port, routes, website } from "./shop.mjs";

init("koa");
const app = new Koa();
app.use(
  cors({
    origin: website,
    credentials: true,
    allowHeaders: allowedHeaders(),
    allowMethods: allowedMethods,
  }),
);
app.use(middleware());
app.use(bodyParser());
const router = new Router();
for (const { method, path, verify, headers = {}, answer } of routes) {
  router[method.toLowerCase()](path, ...(verify ? [verifySession(verify)] : []), async (ctx) => {
    const { session, params } = ctx;
    const said = await answer({
      req: ctx,
      res: ctx,
      body: ctx.request.body ?? {},
      params,
      headers: ctx.headers,
      session,
    });
    ctx.set(headers);
    ctx.type = "application/json";
    ctx.body = JSON.stringify(said);
  });
}
app.use(router.routes());
app.listen(port, "127.0.0.1");
