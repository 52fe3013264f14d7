// What docs/anonymous-sessions.md tells services in Node: verifies a token from the key set alone, and prints its claims.

import { createRemoteJWKSet, jwtVerify } from "jose";

const [keySet, issuer, token] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(keySet));
const { payload } = await jwtVerify(token, keys, { algorithms: ["RS256"], issuer });
if (payload.isAnonymous !== true) throw new Error("not an anonymous session");
console.log(JSON.stringify(payload));
