// The shop as an AWS Lambda function, behind a gateway of few words: it makes a REST API event of
// each request, and answers preflights itself, as API Gateway does when it is told to ("Enable
// CORS"); the function would answer them 404.

import { createServer } from "node:http";
import middy from "@middy/core";
import cors from "@middy/http-cors";
import framework from "supertokens-node/framework/awsLambda/index.js";
import { verifySession } from "supertokens-node/recipe/session/framework/awsLambda";
import { allowedHeaders, allowedMethods, init, port, routes, website } from "./shop.mjs";

init("awsLambda");
const { errorHandler, middleware } = framework;

/** As a route of `path` takes it apart; undefined when it is another's. */
function paramsOf(path, asked) {
  const [pattern, parts] = [path.split("/"), asked.split("/")];
  if (pattern.length !== parts.length) return undefined;
  const params = {};
  const fits = pattern.every((part, index) => {
    if (!part.startsWith(":")) return part === parts[index];
    params[part.slice(1)] = decodeURIComponent(parts[index]);
    return true;
  });
  return fits ? params : undefined;
}

const handlers = routes.map(({ method, path, verify, headers = {}, answer }) => {
  const handler = async (event, context) => {
    const body = JSON.parse(event.body || "{}");
    const call = {
      req: event,
      res: event,
      body,
      params: event.pathParameters,
      headers: event.headers,
      session: event.session,
    };
    const said = await answer(call);
    return {
      statusCode: 200,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(said),
    };
  };
  return { method, path, handler: verify ? verifySession(handler, verify) : handler };
});

/** The function's own routing. */
async function shop(event, context) {
  const found = handlers.find(
    ({ method, path }) => method === event.httpMethod && paramsOf(path, event.path),
  );
  if (!found) return { statusCode: 404, body: "{}" };
  event.pathParameters = paramsOf(found.path, event.path);
  return found.handler(event, context);
}

const lambda = middy(middleware(shop))
  .use(
    cors({
      origin: website,
      credentials: true,
      headers: allowedHeaders().join(", "),
      methods: allowedMethods.join(", "),
    }),
  )
  .onError((request) => errorHandler()(request));

createServer(async (request, response) => {
  const { method, url, headers } = request;
  if (method === "OPTIONS") {
    response.writeHead(204, {
      "access-control-allow-origin": website,
      "access-control-allow-credentials": "true",
      "access-control-allow-headers": allowedHeaders().join(", "),
      "access-control-allow-methods": allowedMethods.join(", "),
    });
    return response.end();
  }
  const { pathname, searchParams } = new URL(url, `http://localhost:${port}`);
  const event = {
    httpMethod: method,
    path: pathname,
    resource: pathname,
    headers,
    multiValueHeaders: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, [value].flat()]),
    ),
    queryStringParameters: Object.fromEntries(searchParams),
    body: Buffer.concat(await request.toArray()).toString(),
    isBase64Encoded: false,
    requestContext: {},
  };
  const answer = await lambda(event, {});
  for (const [name, value] of Object.entries({ ...answer.headers, ...answer.multiValueHeaders }))
    response.setHeader(name, value);
  response.writeHead(answer.statusCode).end(answer.body);
}).listen(port, "127.0.0.1");
