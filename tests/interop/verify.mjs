// The program that docs/anonymous-sessions.md shows to services in Node: verifies a token from the
// key set alone, and prints whose it is and its claims.

import { createRemoteJWKSet, jwtVerify } from "jose";

const [keySet, issuer, token] = process.argv.slice(2);

const keys = createRemoteJWKSet(new URL(keySet));
const { payload } = await jwtVerify(token, keys, { algorithms: ["ES256", "RS256"], issuer });
const isVisitor = payload.isAnonymous === true && !("sessionHandle" in payload);
const isUser = !("isAnonymous" in payload) && "sub" in payload && "sessionHandle" in payload;
if (!isVisitor && !isUser) throw new Error("no session's token");

console.log(JSON.stringify({ isVisitor, isUser, payload }));
