// @ts-check
// A back end that knows nothing of anonymous sessions: Express, a stock session API reduced to its
// wire, and the one route that the SuperTokens documentation describes for guests. It shares no
// code with ours. It has the shop's routes, so that visitors of tests can do the same here.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import express from "express";
import { SignJWT, createLocalJWKSet, decodeJwt, exportJWK, generateKeyPair, jwtVerify } from "jose";
import { listen } from "./listen.mjs";
import { bundle } from "./sdk.mjs";

export const ENDPOINT = "/create-anonymous-session";
export const KEY_SET = "/auth/jwt/jwks.json";
const REFRESH = "/auth/session/refresh";

const ALGORITHMS = /** @type {const} */ (["RS256", "ES256"]);
const YEARS = 31_536_000;
const HOUR = 3600;

export class BackEnd {
  #http;
  #sdk;
  /** Signed-in sessions by handle. */
  #sessions = new Map();
  origin;
  /** Keys that tokens are signed with, by algorithm: `{ kid, privateKey, publicKey }`. */
  keys = {};
  /** `{ method, path, authorization }` of everything but files, in order of arrival. */
  requests = [];

  static async start() {
    const backEnd = new BackEnd();
    for (const alg of ALGORITHMS) backEnd.keys[alg] = await makeKey(alg);
    // Once, because it may be built anew meanwhile.
    backEnd.#sdk = bundle();
    backEnd.reset();
    backEnd.#http = createServer(backEnd.#app());
    backEnd.origin = `http://localhost:${await listen(backEnd.#http, "localhost")}`;
    return backEnd;
  }

  close() {
    this.#http.closeAllConnections();
    return new Promise((done) => this.#http.close(done));
  }

  /** Everything works again, and nobody is signed in. */
  reset() {
    this.#sessions.clear();
    /** Makes the token of the endpoint. @type {(request: any) => unknown} */
    this.mint = () => this.sign();
    /**
     * Answers in the place of a route, by path.
     * @type {Record<string, (request: any, response: any) => unknown>}
     */
    this.instead = {};
    /** Whether `front-token: remove` is lost on the way, as proxies and CORS settings have it. */
    this.hidesRemoval = false;
    this.jwks = { keys: Object.values(this.keys).map(({ jwk }) => jwk) };
    this.forgetCalls();
  }

  forgetCalls() {
    this.requests.splice(0);
  }

  /** The requests that reached the server, by method and path. */
  calls() {
    const counters = {};
    for (const { method, path } of this.requests)
      counters[`${method} ${path}`] = (counters[`${method} ${path}`] ?? 0) + 1;
    return counters;
  }

  /** A guest's token, as `Session.createJWT(payload, validity)` makes it. */
  sign({ alg = "RS256", key = this.keys[alg], claims = {}, validity = 10 * YEARS } = {}) {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      iss: `${this.origin}/auth`,
      iat: now,
      exp: now + validity,
      anonymousId: randomUUID(),
      ...claims,
    })
      .setProtectedHeader({ alg, kid: key.kid, typ: "JWT", version: "5" })
      .sign(key.privateKey);
  }

  #app() {
    const app = express();
    app.use(express.static(join(import.meta.dirname, "pages")));
    app.get("/passerby.js", (_, response) => response.type("js").send(this.#sdk));
    app.get("/favicon.svg", (_, response) =>
      response.type("svg").send('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    );
    app.use((request, response, next) => {
      const { method, path, headers } = request;
      this.requests.push({ method, path, authorization: headers.authorization });
      const instead = this.instead[path];
      if (instead) instead(request, response);
      else next();
    });
    app.use(express.json());

    app.post(ENDPOINT, async (request, response) =>
      response.json({ token: await this.mint(request) }),
    );
    app.get(KEY_SET, (_, response) =>
      response.set("cache-control", "max-age=3600").json(this.jwks),
    );

    app.get("/api/me", async (request, response) => response.json(await this.#whoIs(request)));
    app.get("/api/products", (_, response) => response.json([]));
    app.get("/api/account", (request, response) => {
      const session = this.#sessionOf(request);
      if (session) response.json({ userId: session.userId });
      else
        response.status(401).json({
          message: cookie(request, "sAccessToken") ? "try refresh token" : "unauthorised",
        });
    });
    app.post("/api/login", (request, response) => {
      const session = {
        handle: randomUUID(),
        userId: request.body.name.toLowerCase(),
        used: new Set(),
        isRevoked: false,
      };
      this.#sessions.set(session.handle, session);
      this.#issue(response, session);
      response.json({ status: "OK" });
    });
    app.post("/api/demo/expire", (request, response) => {
      const session = this.#sessionOf(request);
      session.accessToken = undefined;
      response.set("front-token", frontToken(session, -1)).json({ expired: true });
    });
    app.post("/api/demo/revoke", (request, response) => {
      const session = this.#sessionOf(request);
      session.isRevoked = true;
      session.accessToken = undefined;
      response.set("front-token", frontToken(session, -1)).json({ revoked: true });
    });

    app.post(`${REFRESH}/steal`, (request, response) => {
      const [handle, token] = refreshToken(request).split("/");
      this.#sessions.get(handle).used.add(token);
      response.json({ stolen: true });
    });
    app.post(REFRESH, (request, response) => this.#refresh(request, response));
    app.post("/auth/signout", (request, response) => {
      const session = this.#sessionOf(request);
      if (!session) return response.status(401).json({ message: "try refresh token" });
      this.#sessions.delete(session.handle);
      this.#clear(response);
      response.json({ status: "OK" });
    });
    return app;
  }

  #refresh(request, response) {
    const [handle = "", token = ""] = refreshToken(request).split("/");
    const session = this.#sessions.get(handle);
    const isTheft = session?.used.has(token) ?? false;
    if (session && !isTheft && !session.isRevoked) {
      session.used.add(token);
      this.#issue(response, session);
      return response.json({});
    }
    this.#sessions.delete(handle);
    this.#clear(response);
    response.status(401).json({ message: isTheft ? "token theft detected" : "unauthorised" });
  }

  #issue(response, session) {
    session.accessToken = randomUUID();
    response.cookie("sAccessToken", `${session.handle}/${session.accessToken}`, {
      httpOnly: true,
      sameSite: "lax",
      encode: String,
    });
    const refresh = { httpOnly: true, sameSite: "lax", path: REFRESH, encode: String };
    response.cookie("sRefreshToken", `${session.handle}/${randomUUID()}`, refresh);
    response.set("front-token", frontToken(session, HOUR));
  }

  #clear(response) {
    response.clearCookie("sAccessToken").clearCookie("sRefreshToken", { path: REFRESH });
    if (!this.hidesRemoval) response.set("front-token", "remove");
  }

  #sessionOf(request) {
    const [handle, token] = cookie(request, "sAccessToken").split("/");
    const session = this.#sessions.get(handle);
    return session?.accessToken && session.accessToken === token ? session : undefined;
  }

  /** The access token's cookie first; else what the bearer's signature says. */
  async #whoIs(request) {
    const session = this.#sessionOf(request);
    if (session) return { kind: "user", userId: session.userId };
    const token = bearer(request);
    if (!token) return { kind: "nobody" };
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet(this.jwks), {
        issuer: `${this.origin}/auth`,
      });
      return { kind: "anonymous", anonymousId: payload.anonymousId };
    } catch (error) {
      return { kind: "rejected", code: error.code };
    }
  }
}

/** @param {"RS256" | "ES256"} alg */
export async function makeKey(alg) {
  const kid = `s-${randomUUID()}`;
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    kid,
    privateKey,
    publicKey,
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" },
  };
}

export const idOf = (token) => decodeJwt(token).anonymousId;

const bearer = ({ headers }) => /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];

/** The header comes first, as in `refreshSessionInRequest` of supertokens-node. */
const refreshToken = (request) => bearer(request) ?? cookie(request, "sRefreshToken");

function cookie({ headers }, name) {
  const pairs = (headers.cookie ?? "").split("; ").map((pair) => pair.split("="));
  return pairs.find(([key]) => key === name)?.[1] ?? "";
}

function frontToken({ handle, userId }, validity) {
  const now = Math.floor(Date.now() / 1000);
  const exp = now + validity;
  const up = { sub: userId, iat: now, exp, sessionHandle: handle };
  return Buffer.from(JSON.stringify({ uid: userId, ate: exp * 1000, up })).toString("base64");
}
