// The shop in LoopBack 4. Decorators are functions, so they are called as such, and nothing has to
// be compiled.

import { inject, intercept } from "@loopback/core";
import { RestApplication, get, param, post, put, requestBody } from "@loopback/rest";
import { middleware } from "supertokens-node/framework/loopback/index.js";
import { verifySession } from "supertokens-node/recipe/session/framework/loopback/index.js";
import { allowedHeaders, init, port, routes, website } from "./shop.mjs";

init("loopback");
const VERBS = { GET: get, POST: post, PUT: put };

class Shop {
  constructor(context) {
    this.context = context;
  }
}
inject("middleware.http.context")(Shop, undefined, 0);

for (const { method, path, verify, headers = {}, answer } of routes) {
  const name = `${method} ${path}`;
  const variable = /:(\w+)/.exec(path)?.[1];
  Shop.prototype[name] = async function (...given) {
    const { context } = this;
    const params = variable ? { [variable]: given.shift() } : {};
    const call = {
      req: context,
      res: context,
      body: given[0] ?? {},
      params,
      headers: context.request.headers,
    };
    const said = await answer({ ...call, session: context.session });
    const { response } = context;
    for (const [header, value] of Object.entries(headers)) response.setHeader(header, value);
    // By hand, because LoopBack writes a plain string or `null` otherwise than as JSON.
    response.status(200).json(said);
    return response;
  };
  const descriptor = Object.getOwnPropertyDescriptor(Shop.prototype, name);
  VERBS[method](path.replace(/:(\w+)/, "{$1}"), { responses: {} })(
    Shop.prototype,
    name,
    descriptor,
  );
  if (verify) intercept(verifySession(verify))(Shop.prototype, name, descriptor);
  const index = variable ? 1 : 0;
  if (method !== "GET") {
    requestBody({
      required: false,
      content: { "application/json": { schema: { type: "object" } } },
    })(Shop.prototype, name, index);
  }
  if (variable) param.path.string(variable)(Shop.prototype, name, 0);
}

const app = new RestApplication({
  rest: {
    host: "127.0.0.1",
    port,
    cors: {
      origin: website,
      credentials: true,
      allowedHeaders: allowedHeaders(),
      preflightContinue: false,
    },
  },
});
app.middleware(middleware);
app.controller(Shop);
await app.start();
