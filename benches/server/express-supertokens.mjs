// The example of the SuperTokens documentation: Express with `supertokens-node`. Argument: the
// address of the session core.

import express from "express";
import supertokens from "supertokens-node";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import JWT from "supertokens-node/recipe/jwt";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/express";

const [core] = process.argv.slice(2);
/** The life of an anonymous token, in seconds. */
const TEN_YEARS = 315_360_000;

supertokens.init({
  framework: "express",
  supertokens: { connectionURI: core },
  appInfo: {
    appName: "bench",
    apiDomain: "http://localhost:3000",
    websiteDomain: "http://localhost:3000",
    apiBasePath: "/auth",
  },
  recipeList: [Session.init(), JWT.init()],
});

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.use(middleware());
app.post("/login", async (request, response) => {
  await Session.createNewSession(
    request,
    response,
    "public",
    supertokens.convertToRecipeUserId(request.query.user),
  );
  response.type("text").send("signed in");
});
app.get("/user", verifySession(), (request, response) =>
  response.type("text").send(request.session.getUserId()),
);
app.get("/mint", async (_, response) => {
  const anonymousId = crypto.randomUUID();
  const { jwt } = await JWT.createJWT({ anonymousId, isAnonymous: true }, TEN_YEARS, true);
  response
    .set("set-cookie", `sAnonymousToken=${jwt}; Path=/; HttpOnly; SameSite=Lax`)
    .type("text")
    .send(anonymousId);
});
app.use(errorHandler());
const server = app.listen(0, "localhost", () =>
  console.log(`listening on http://localhost:${server.address().port}`),
);
