// The shop in NestJS on Express, with middleware, guard and filter as SuperTokens' guide has them.
// It calls the decorators as the functions that they are, so no TypeScript has to be compiled.

import "reflect-metadata";
import {
  Catch,
  Controller,
  Get,
  HttpCode,
  Module,
  Post,
  Put,
  Req,
  Res,
  UseGuards,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import supertokens from "supertokens-node";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import { verifySession } from "supertokens-node/recipe/session/framework/express";
import { allowedHeaders, init, port, routes, website } from "./shop.mjs";

init("express");
const VERBS = { GET: Get, POST: Post, PUT: Put };

/** Lets a request in when its session is as the route wants it. */
const guard = (options) => ({
  async canActivate(context) {
    const http = context.switchToHttp();
    const refusal = await new Promise((done) =>
      verifySession(options)(http.getRequest(), http.getResponse(), done),
    );
    if (refusal) throw refusal;
    return true;
  },
});

class Shop {}
for (const { method, path, verify, headers = {}, answer } of routes) {
  const name = `${method} ${path}`;
  Shop.prototype[name] = async (req, res) => {
    const { body = {}, params, session } = req;
    const said = await answer({ req, res, body, params, headers: req.headers, session });
    for (const [header, value] of Object.entries(headers)) res.setHeader(header, value);
    // Not returned: a plain string or `null` would not be JSON.
    res.json(said);
  };
  const descriptor = Object.getOwnPropertyDescriptor(Shop.prototype, name);
  VERBS[method](path)(Shop.prototype, name, descriptor);
  HttpCode(200)(Shop.prototype, name, descriptor);
  if (verify) UseGuards(guard(verify))(Shop.prototype, name, descriptor);
  Req()(Shop.prototype, name, 0);
  Res()(Shop.prototype, name, 1);
}
Controller()(Shop);

/** Errors of SuperTokens become its answers. */
class Errors {
  catch(error, host) {
    const http = host.switchToHttp();
    const next = (unknown) =>
      http
        .getResponse()
        .status(unknown.getStatus?.() ?? 500)
        .json({ message: unknown.message });
    return supertokens.Error.isErrorFromSuperTokens(error)
      ? errorHandler()(error, http.getRequest(), http.getResponse(), next)
      : next(error);
  }
}
Catch()(Errors);

class App {}
Module({ controllers: [Shop] })(App);

const app = await NestFactory.create(App, { logger: ["error", "warn"] });
app.enableCors({ origin: website, credentials: true, allowedHeaders: allowedHeaders() });
app.use(middleware());
app.useGlobalFilters(new Errors());
await app.listen(port, "127.0.0.1");
