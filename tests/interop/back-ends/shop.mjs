// The common part of every SuperTokens back end in Node in these tests, whatever its framework: the
// configuration, and what each route does. See `exercise.mjs` and `chromium.test.mjs` for what the
// routes are for. Arguments: the core's address, and the app's port. `WEBSITE`: where its pages
// come from.

import { createRemoteJWKSet, jwtVerify } from "jose";
import supertokens from "supertokens-node";
import JWT from "supertokens-node/recipe/jwt";
import Session from "supertokens-node/recipe/session";

const [core, given] = process.argv.slice(2);
export const port = Number(given);
const origin = `http://localhost:${port}`;
export const website = process.env.WEBSITE ?? origin;
const keys = createRemoteJWKSet(new URL(`${core}/.well-known/jwks.json`));

/** @param {string} framework as `supertokens.init` wants it */
export function init(framework) {
  supertokens.init({
    framework,
    supertokens: { connectionURI: core, apiKey: process.env.CORE_API_KEY },
    appInfo: { appName: "test", apiDomain: origin, websiteDomain: website, apiBasePath: "/auth" },
    recipeList: [Session.init({ antiCsrf: "VIA_TOKEN" }), JWT.init()],
  });
}

/** Only after `init`. */
export const allowedHeaders = () => ["content-type", ...supertokens.getAllCORSHeaders()];
export const allowedMethods = ["GET", "POST", "PUT"];

/** The claims of a guest's token; undefined when there is none, or none of ours. */
async function guestOf(headers) {
  const token = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
  if (!token) return undefined;
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ["RS256"],
      issuer: `${origin}/auth`,
    });
    return payload.isAnonymous === true && !("sessionHandle" in payload) ? payload : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A call as a framework hands it over: its own request and response, what it read of them, and the
 * session that was verified.
 * @typedef {{
 *   req: unknown,
 *   res: unknown,
 *   body: any,
 *   params: Record<string, string>,
 *   headers: Record<string, string | undefined>,
 *   session?: import("supertokens-node/recipe/session").SessionContainer,
 * }} Call
 */

/**
 * `verify`: the options of `verifySession`, where the route has one; `answer`: the body, as JSON.
 * `headers` of the answer, where there are any.
 * @type {{
 *   method: "GET" | "POST" | "PUT",
 *   path: string,
 *   verify?: object,
 *   headers?: Record<string, string>,
 *   answer: (call: Call) => Promise<unknown>,
 * }[]}
 */
export const routes = [
  {
    method: "POST",
    path: "/login",
    async answer({ req, res, body, headers }) {
      const guest = await guestOf(headers);
      const payload = { ...body.payload, ...(guest && { anonymousId: guest.anonymousId }) };
      const id = supertokens.convertToRecipeUserId(body.user);
      const session = await Session.createNewSession(
        req,
        res,
        body.tenant ?? "public",
        id,
        payload,
        body.data,
      );
      return { handle: session.getHandle() };
    },
  },
  {
    method: "GET",
    path: "/me",
    verify: {},
    answer: async ({ session }) => ({
      user: session.getUserId(),
      handle: session.getHandle(),
      tenant: session.getTenantId(),
      payload: session.getAccessTokenPayload(),
    }),
  },
  {
    method: "GET",
    path: "/any",
    verify: { sessionRequired: false },
    async answer({ session, headers }) {
      if (session) return { kind: "user", user: session.getUserId() };
      const guest = await guestOf(headers);
      return guest ? { kind: "anonymous", anonymousId: guest.anonymousId } : { kind: "nobody" };
    },
  },
  {
    method: "GET",
    path: "/checked",
    verify: { checkDatabase: true },
    answer: async ({ session }) => ({ user: session.getUserId() }),
  },
  {
    method: "POST",
    path: "/merge",
    verify: {},
    async answer({ session, body }) {
      await session.mergeIntoAccessTokenPayload(body);
      return session.getAccessTokenPayload();
    },
  },
  {
    method: "POST",
    path: "/merge/:handle",
    answer: ({ params, body }) => Session.mergeIntoAccessTokenPayload(params.handle, body),
  },
  {
    method: "GET",
    path: "/information/:handle",
    async answer({ params }) {
      const found = await Session.getSessionInformation(params.handle);
      if (!found) return null;
      const {
        userId: user,
        customClaimsInAccessTokenPayload: payload,
        sessionDataInDatabase: data,
        tenantId: tenant,
      } = found;
      return { user, payload, data, tenant };
    },
  },
  {
    method: "PUT",
    path: "/data/:handle",
    answer: ({ params, body }) => Session.updateSessionDataInDatabase(params.handle, body),
  },
  {
    method: "GET",
    path: "/handles/:user",
    answer: ({ params }) => Session.getAllSessionHandlesForUser(params.user),
  },
  {
    method: "POST",
    path: "/revoke/:handle",
    answer: ({ params }) => Session.revokeSession(params.handle),
  },
  {
    method: "POST",
    path: "/revoke-all/:user",
    answer: ({ params }) => Session.revokeAllSessionsForUser(params.user),
  },
  { method: "POST", path: "/jwt", answer: ({ body }) => JWT.createJWT(body, 60, true) },
  {
    // Anonymous sessions of endpoint mode: `{ "token": … }` to a POST.
    method: "POST",
    path: "/create-anonymous-session",
    headers: { "cache-control": "no-store" },
    async answer() {
      const made = await Session.createJWT(
        { anonymousId: crypto.randomUUID(), isAnonymous: true },
        315_360_000,
        true,
      );
      return { token: made.jwt };
    },
  },
];
