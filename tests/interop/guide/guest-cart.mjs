import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { randomUUID } from "node:crypto";
import supertokens, { getRequestFromUserContext } from "supertokens-node";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/express";

const API = process.env.API_DOMAIN ?? "https://api.example.com";
const keys = createRemoteJWKSet(new URL(`${API}/auth/jwt/jwks.json`));

/** Stand for your database: a guest's cart by anonymousId, until it joins the account's, which is stored by user id. */
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

/** The guest's claims; undefined when there is no token or it is not ours. */
async function guestOf(authorization) {
  const token = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];
  if (!token) return undefined;
  try {
    const { payload } = await jwtVerify(token, keys, { algorithms: ["RS256"], issuer: `${API}/auth` });
    // The same key set has the keys of access tokens: a user's token is no guest's.
    return payload.isAnonymous === true && !("sessionHandle" in payload) ? payload : undefined;
  } catch {
    return undefined;
  }
}

supertokens.init({
  framework: "express",
  supertokens: { connectionURI: process.env.SUPERTOKENS_CORE, apiKey: process.env.SUPERTOKENS_API_KEY },
  appInfo: { appName: "shop", apiDomain: API, websiteDomain: process.env.WEBSITE ?? "https://www.example.com", apiBasePath: "/auth" },
  recipeList: [
    Session.init({
      override: {
        functions: (original) => ({
          ...original,
          // Runs for every way of signing in.
          async createNewSession(input) {
            const request = getRequestFromUserContext(input.userContext);
            const guest = await guestOf(request?.getHeaderValue("authorization"));
            const anonymousId = guest?.anonymousId ?? randomUUID();
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
