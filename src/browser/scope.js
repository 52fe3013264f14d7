// The URLs that are ours, by the domains and the path of the configuration. The peers' rules.

/**
 * Resolved against the document, as `fetch` does.
 * @param {string | URL} text
 * @returns {URL | undefined}
 */
export function parseUrl(text) {
  try {
    // Parsing the base takes as long again.
    return new URL(text, isWeb(text) ? undefined : document.baseURI);
  } catch {
    return undefined;
  }
}

/**
 * A URL parser lets a host end in a number only if it is an IPv4 address.
 * @param {string} hostname
 */
const isIpv4 = (hostname) => /(^|\.)\d+$/.test(hostname);

/** @param {string | URL} text */
const isWeb = (text) => /^https?:\/\//.test(/** @type {string} */ (text));

/** @param {string} text */
const withoutDot = (text) => text.replace(/^\./, "");

/** @param {string} text */
const tidy = (text) => text.trim().toLowerCase();

/**
 * The URL of a domain, for example `https://api.example.com`; `undefined` for "not a valid domain
 * name". The rule is that of `protocol/src/domain.rs`.
 * @param {string} input
 */
export function domain(input) {
  let text = tidy(input);
  if (isWeb(text)) return parseUrl(text);
  text = withoutDot(text);
  const isLocal = /^(localhost|\[)/.test(text);
  if (text[0] === "/" || !(text.includes(".") || isLocal)) return undefined;
  const secure = parseUrl(`https://${text}`);
  return secure && (isLocal || isIpv4(secure.hostname)) ? parseUrl(`http://${text}`) : secure;
}

/**
 * The host of a domain, behind a leading dot if it had one; `undefined` for "not a valid scope".
 * IPv4 addresses and names of one label, as localhost is, have no dot in front.
 * @param {string} input
 */
export function scope(input) {
  const text = tidy(input);
  const bare = withoutDot(text);
  const url = parseUrl(isWeb(bare) ? bare : `http://${bare}`);
  const hasDot = text !== bare && url?.hostname.includes(".") && !isIpv4(url.hostname);
  return url && (hasDot ? "." : "") + url.hostname;
}

/**
 * A path without a slash at its end, empty for the root; `undefined` for "not a valid URL path".
 * @param {string} input
 */
export function path(input) {
  const isPath = input[0] === "/";
  const isUrl = isWeb(tidy(input));
  const withHost = isPath ? undefined : parseUrl(isUrl ? input : `http://${input}`);
  const hasHost = isUrl || /\.|^localhost/.test(withHost?.hostname ?? "");
  const url = hasHost ? withHost : parseUrl(`http://x${isPath ? "" : "/"}${input}`);
  return url?.pathname.replace(/\/$/, "");
}

/**
 * Whether a request to `url` is ours: its host is the API's (any port and scheme of the web, as
 * with the peer), or `backend`, as `scope` made it, is its host or a parent of it.
 * @param {URL} url @param {string} apiHost @param {string | undefined} backend
 */
export function isInScope(url, apiHost, backend) {
  const { hostname } = url;
  const bare = backend && withoutDot(backend);
  const isBelow = bare && hostname.endsWith(`.${bare}`) && !isIpv4(hostname);
  return !!(hostname === apiHost || hostname === bare || isBelow) && isWeb(url.origin);
}
