// Code for an app's own endpoint of anonymous sessions: its answer, and the check of a token with
// the browser's own cryptography. Few apps have one, so the npm package loads this when it is first
// called; it imports nothing, because what it shared with the entry would have to become a third
// file.

/**
 * The token that the endpoint answered with.
 * @param {Response} response
 * @returns {Promise<string>}
 */
export async function tokenOf(response) {
  const { token } = response.ok ? await response.json() : {};
  if (typeof token !== "string")
    throw new Error("The anonymous endpoint did not answer { token: <jwt with exp> }");
  return token;
}

/**
 * The algorithms by the type of the key; the token cannot choose (RFC 8725, section 3.1).
 * @type {Record<
 *   string,
 *   [string, RsaHashedImportParams & EcKeyImportParams & EcdsaParams] | undefined
 * >}
 */
const ALGORITHMS = {
  RSA: ["RS256", { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", namedCurve: "" }],
  EC: ["ES256", { name: "ECDSA", hash: "SHA-256", namedCurve: "P-256" }],
};

/** Key sets by address. @type {Record<string, { keys: (JsonWebKey & { kid?: string })[] }>} */
const keySets = {};

/** Milliseconds. The app's requests wait. */
const TIMEOUT = 5000;

/** @param {string} text base64url */
function bytesOf(text) {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) =>
    char.charCodeAt(0),
  );
}

/** `undefined` when the set cannot be had. @param {string} url */
async function fetchKeys(url) {
  try {
    // Requests of the app wait for this one, so it must not wait for them.
    const address = `${url}#superTokensDoNotDoInterception`;
    // A set in the HTTP cache may be one without the key that is looked for.
    const response = await fetch(address, {
      cache: "no-cache",
      signal: AbortSignal.timeout?.(TIMEOUT),
    });
    const set = response.ok && (await response.json());
    if (Array.isArray(set.keys)) return (keySets[url] = set);
  } catch {
    // As unreachable as one that answers nonsense.
  }
  return undefined;
}

/**
 * The token that was judged last, and the verdict.
 * @type {[jwt: string, url: string, isSigned: boolean] | undefined}
 */
let judged;

/**
 * Whether a key of that set signed it, or `undefined` when that cannot be told here and now. Its
 * time is not looked at.
 * @param {string} jwt @param {string} url
 */
export async function isSignedBy(jwt, url) {
  if (judged?.[0] === jwt && judged[1] === url) return judged[2];
  const isSigned = await verify(jwt, url);
  if (isSigned !== undefined) judged = [jwt, url, isSigned];
  return isSigned;
}

/** @param {string} jwt @param {string} url @returns {Promise<boolean | undefined>} */
async function verify(jwt, url) {
  const [head = "", payload = "", signature = ""] = jwt.split(".");
  try {
    const { alg, kid } = JSON.parse(new TextDecoder().decode(bytesOf(head)));
    const find = () => keySets[url]?.keys.find((key) => key.kid === kid);
    // Keys rotate, so an unknown one is worth a look. Insecure contexts have no cryptography.
    if (!crypto.subtle || !(find() || (await fetchKeys(url)))) return undefined;
    const jwk = find();
    const [name, algorithm] = ALGORITHMS[jwk?.kty ?? ""] ?? [];
    if (!jwk || !algorithm || name !== alg) return false;
    const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
    return await crypto.subtle.verify(
      algorithm,
      key,
      bytesOf(signature),
      new TextEncoder().encode(`${head}.${payload}`),
    );
  } catch {
    return false;
  }
}
