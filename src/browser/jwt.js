// Verifies tokens of a back end that is not ours, with the browser's own cryptography.

import { bytesOf, jsonOf, nativeFetch } from "./host.js";

/** What a key of that type is used with; the token cannot choose (RFC 8725, section 3.1). @type {Record<string, [string, RsaHashedImportParams & EcKeyImportParams & EcdsaParams] | undefined>} */
const ALGORITHMS = {
  RSA: ["RS256", { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", namedCurve: "" }],
  EC: ["ES256", { name: "ECDSA", hash: "SHA-256", namedCurve: "P-256" }],
};

/** Key sets by address. @type {Record<string, { keys: (JsonWebKey & { kid?: string })[] }>} */
const keySets = {};

/**
 * Whether a key of that set signed it, or `undefined` when the set cannot be had. Its time is not looked at.
 * @param {string} jwt @param {string} url
 */
export async function isSignedBy(jwt, url) {
  const [head = "", payload = "", signature = ""] = jwt.split(".");
  try {
    const { alg, kid } = jsonOf(head);
    const find = () => keySets[url]?.keys.find((key) => key.kid === kid);
    if (!find()) {
      // Unknown, or not looked at yet: keys rotate, so it is worth one look.
      try {
        keySets[url] = await (await nativeFetch(url)).json();
      } catch {
        return undefined;
      }
    }
    const jwk = find();
    const [name, algorithm] = ALGORITHMS[jwk?.kty ?? ""] ?? [];
    if (!jwk || !algorithm || name !== alg) return false;
    const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
    return await crypto.subtle.verify(algorithm, key, bytesOf(signature), new TextEncoder().encode(`${head}.${payload}`));
  } catch {
    return false;
  }
}
