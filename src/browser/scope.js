// Which URLs are ours: what the domains and the path of the configuration mean (reference 3.2), and
// whose a request is (reference 4.1).

/** @typedef {URL & { path: string, isIpv4: boolean }} Url */

/**
 * Resolved against the document, as `fetch` does.
 * @param {string | URL} text
 * @returns {Url | undefined}
 */
export function parseUrl(text) {
  try {
    const url = new URL(text, document.baseURI);
    // A URL parser lets a host end in a number only if it is an IPv4 address.
    return Object.assign(url, {
      path: url.pathname.replace(/\/$/, ""),
      isIpv4: /(^|\.)\d+$/.test(url.hostname),
    });
  } catch {
    return undefined;
  }
}

/** @param {string} text */
const isWeb = (text) => /^https?:\/\//.test(text);

/** @param {string} text */
const withoutDot = (text) => text.replace(/^\./, "");

/** @param {string} text */
const tidy = (text) => text.trim().toLowerCase();

/**
 * The URL of a domain, for example `https://api.example.com`; `undefined` for "not a valid domain
 * name".
 * @param {string} input
 */
export function domain(input) {
  let text = tidy(input);
  if (isWeb(text)) return parseUrl(text);
  text = withoutDot(text);
  const isLocal = /^(localhost|\[)/.test(text);
  if (text[0] === "/" || !(text.includes(".") || isLocal)) return undefined;
  const secure = parseUrl(`https://${text}`);
  return secure && (isLocal || secure.isIpv4) ? parseUrl(`http://${text}`) : secure;
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
  const hasDot = text !== bare && url?.hostname.includes(".") && !url.isIpv4;
  return url && (hasDot ? "." : "") + url.hostname;
}

/**
 * A path without a slash at its end, empty for the root; `undefined` for "not a valid URL path".
 * @param {string} input
 */
export function path(input) {
  if (isWeb(tidy(input))) return parseUrl(input)?.path;
  const isPath = input[0] === "/";
  const withHost = isPath ? undefined : parseUrl(`http://${input}`);
  const hasHost = /\.|^localhost/.test(withHost?.hostname ?? "");
  return (hasHost ? withHost : parseUrl(`http://x${isPath ? "" : "/"}${input}`))?.path;
}

/**
 * Whether a request to `url` is ours: its host is the API's (any port and scheme of the web, as
 * with the peer), or `backend`, as `scope` made it, is its host or a parent of it.
 * @param {Url} url @param {string} apiHost @param {string | undefined} backend
 */
export function isInScope({ origin, hostname, isIpv4 }, apiHost, backend) {
  const bare = backend && withoutDot(backend);
  return (
    isWeb(origin) &&
    (hostname === apiHost ||
      (!!bare && (hostname === bare || (!isIpv4 && hostname.endsWith(`.${bare}`)))))
  );
}
