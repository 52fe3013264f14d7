import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { randomUUID } from "node:crypto";
import supertokens, { getRequestFromUserContext } from "supertokens-node";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/express";

const API = process.env.API_DOMAIN ?? "https://shop.example.com";
const keys = createRemoteJWKSet(new URL(`${API}/auth/jwt/jwks.json`));

/**
 * Stand for your database: a guest's cart by anonymousId, until it joins the account's, which is
 * stored by user id.
 */
const guestCarts = new Map();
const accountCarts = new Map();

function add(carts, owner, items) {
  carts.set(owner, [...(carts.get(owner) ?? []), ...items]);
  return carts.get(owner);
}

async function moveCart(guest, userId) {
  add(accountCarts, userId, guestCarts.get(guest.anonymousId) ?? []);
  guestCarts.delete(guest.anonymousId);
}

async function createGuestToken(claims) {
  const tenYears = 315_360_000;
  // With the static key: the dynamic ones are gone long before this token expires.
  const made = await Session.createJWT({ ...claims, isAnonymous: true }, tenYears, true);
  if (made.status !== "OK") throw new Error(made.status);
  return made.jwt;
}

const bearer = (authorization) => /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];

/** The claims of a token, a guest's or a user's; undefined when there is none or it is not ours. */
async function claimsOf(token, options) {
  if (!token) return undefined;
  try {
    return (
      await jwtVerify(token, keys, { algorithms: ["RS256"], issuer: `${API}/auth`, ...options })
    ).payload;
  } catch {
    return undefined;
  }
}

/** The guest's claims. */
async function guestOf(authorization) {
  const claims = await claimsOf(bearer(authorization));
  // The same key set has the keys of access tokens: a user's token is no guest's.
  return claims?.isAnonymous === true && !("sessionHandle" in claims) ? claims : undefined;
}

/** The anonymousId of the user session that a request comes with, in a header or a cookie. */
async function idOfSession(request) {
  for (const token of [
    bearer(request?.getHeaderValue("authorization")),
    request?.getCookieValue("sAccessToken"),
  ]) {
    // Expired or not: it was signed by us.
    const claims = await claimsOf(token, { currentDate: new Date(0) });
    if (claims && "sessionHandle" in claims) return claims.anonymousId;
  }
  return undefined;
}

supertokens.init({
  framework: "express",
  supertokens: {
    connectionURI: process.env.SUPERTOKENS_CORE,
    apiKey: process.env.SUPERTOKENS_API_KEY,
  },
  appInfo: { appName: "shop", apiDomain: API, websiteDomain: API, apiBasePath: "/auth" },
  recipeList: [
    Session.init({
      override: {
        functions: (original) => ({
          ...original,
          // Runs for every way of signing in.
          async createNewSession(input) {
            const request = getRequestFromUserContext(input.userContext);
            const guest = await guestOf(request?.getHeaderValue("authorization"));
            // A user who signs in over a session, even as somebody else, is the same visitor.
            const anonymousId = (await idOfSession(request)) ?? guest?.anonymousId ?? randomUUID();
            const session = await original.createNewSession({
              ...input,
              accessTokenPayload: { ...input.accessTokenPayload, anonymousId },
            });
            // Never fails a login. Stored under the user id.
            if (guest) await moveCart(guest, input.userId).catch(console.error);
            return session;
          },
        }),
      },
    }),
  ],
});

const app = express();
// The website: on the API's origin, so that nothing needs CORS.
app.use(express.static("public"));
app.use(express.json());
app.use(middleware());

app.post("/create-anonymous-session", async (request, response) => {
  response.set("Cache-Control", "no-store");
  response.json({ token: await createGuestToken({ anonymousId: randomUUID() }) });
});

app.post("/api/cart", verifySession({ sessionRequired: false }), async (request, response) => {
  const { session, body, headers } = request;
  if (session) return response.json(add(accountCarts, session.getUserId(), [body.item]));
  const guest = await guestOf(headers.authorization);
  if (!guest) return response.status(409).json({ message: "no session" });
  response.json(add(guestCarts, guest.anonymousId, [body.item]));
});

app.get("/api/account/cart", verifySession(), (request, response) => {
  response.json(accountCarts.get(request.session.getUserId()) ?? []);
});

app.post("/api/login", async (request, response) => {
  // Check the password here.
  const user = supertokens.convertToRecipeUserId(request.body.name);
  await Session.createNewSession(request, response, "public", user);
  response.json({ status: "OK" });
});

app.use(errorHandler());
app.listen(process.env.PORT ?? 3001);
