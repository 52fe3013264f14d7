// The way of a back end without a session product to serve guests: Express, and jose on the very
// tokens that Passerby makes. Argument: the address of a Passerby server, whose key set it trusts.

import { randomUUID } from "node:crypto";
import express from "express";
import { SignJWT, createLocalJWKSet, generateKeyPair, jwtVerify } from "jose";

const [passerby] = process.argv.slice(2);
const jwks = await (await fetch(`${passerby}/auth/jwt/jwks.json`)).json();
const keys = createLocalJWKSet(jwks);
const issuer = `${passerby}/auth`;
const YEARS = 315_360_000;

// Signs as Passerby does: the algorithm is that of a token it made.
const brought = (await fetch(`${passerby}/any`)).headers
  .getSetCookie()
  .find((line) => line.startsWith("sAnonymousToken="));
const { alg } = JSON.parse(
  Buffer.from(brought.split("=")[1].split(".")[0], "base64url").toString(),
);
const own = await generateKeyPair(alg);

function sign(anonymousId) {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ iss: issuer, iat: now, exp: now + YEARS, anonymousId, isAnonymous: true })
    .setProtectedHeader({ alg, kid: "s-own", typ: "JWT", version: "5" })
    .sign(own.privateKey);
}

const ownKeys = async (header, token) =>
  header.kid === "s-own" ? own.publicKey : keys(header, token);

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.get("/any", async (request, response) => {
  const { cookie = "", authorization = "" } = request.headers;
  const token =
    /^Bearer (.+)$/.exec(authorization)?.[1] ?? /(?:^|; )sAnonymousToken=([^;]+)/.exec(cookie)?.[1];
  try {
    const { payload } = await jwtVerify(token, ownKeys, { issuer, algorithms: [alg] });
    response.type("text").send(payload.anonymousId);
  } catch {
    response.status(401).end();
  }
});
app.get("/mint", async (_, response) => {
  const anonymousId = randomUUID();
  const cookie = `sAnonymousToken=${await sign(anonymousId)}; Path=/; HttpOnly; SameSite=Lax`;
  response.set("set-cookie", cookie).type("text").send(anonymousId);
});
app.post("/create-anonymous-session", async (_, response) =>
  response.json({ token: await sign(randomUUID()) }),
);
const server = app.listen(0, "localhost", () =>
  console.log(`listening on http://localhost:${server.address().port}`),
);
