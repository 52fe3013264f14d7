// The one place that touches the browser. It reads, writes and converts; what to do is decided in Rust.

/**
 * A parsed front token. `id` is the session handle, or the anonymousId of an anonymous session.
 * @typedef {{ raw: string, id: unknown, uid: string, iat: number, ate: number, anonymousId: unknown, up: Record<string, unknown> }} FrontToken
 */

// --- tasks ---------------------------------------------------------------------------------------------------------

/** @type {(task: number, ok: boolean, value: unknown) => void} */
let resume;
/** @type {Record<number, [(value: unknown) => void, (reason: unknown) => void]>} */
const waiting = {};

/** @param {typeof resume} callback */
export function onSettled(callback) {
  resume = callback;
}

/** @param {unknown} value @param {number} task */
export function settle(value, task) {
  Promise.resolve(value).then(
    (result) => resume(task, true, result),
    (reason) => resume(task, false, reason),
  );
}

/** @param {number} task */
export function promise(task) {
  return new Promise((...settlers) => (waiting[task] = settlers));
}

/** @param {number} task @param {boolean} ok @param {unknown} value */
export function finish(task, ok, value) {
  const settlers = waiting[task];
  delete waiting[task];
  settlers?.[ok ? 0 : 1](value);
}

// --- stored state --------------------------------------------------------------------------------------------------

/** What `cookieAttributes` were configured. */
let attributes = "";

/** Parsed tokens by cookie name, because every request asks. @type {Record<string, FrontToken>} */
const parsed = {};

/** @param {string | undefined} domain @param {boolean} isInIframe */
export function configureCookies(domain, isInIframe) {
  const host = location.hostname;
  const scope = domain && domain !== "localhost" && domain !== host ? `domain=${domain};` : "";
  attributes = scope + (isInIframe ? "path=/;samesite=none;secure" : "path=/;samesite=lax");
}

/** The last non-empty cookie of that name, as the peers read it. @param {string} name */
export function getCookie(name) {
  let value;
  for (const pair of document.cookie.split(";")) {
    const [key = "", ...rest] = pair.split("=");
    if (key.trim() === name) value = rest.join("=") || value;
  }
  return value;
}

/** An empty value deletes. @param {string} name @param {string | number} value */
export function setCookie(name, value) {
  const expires = value ? "Fri, 31 Dec 9999 23:59:59 GMT" : "Thu, 01 Jan 1970 00:00:00 GMT";
  document.cookie = `${name}=${value};expires=${expires};${attributes}`;
  if ((getCookie(name) ?? "") !== `${value}`) {
    console.warn(
      `Saving to cookies was not successful: the browser refused "${name}". Too large (4096 bytes), cookies blocked, or ` +
        "in an iframe without isInIframe?",
    );
  }
}

/** `false` when it cannot be read. @param {string} raw @returns {FrontToken | false} */
function decode(raw) {
  try {
    const { uid, ate, up } = jsonOf(raw);
    const { iat, sessionHandle, anonymousId } = up;
    const isUsable = ate >= 0 && typeof up === "object";
    return isUsable && { raw, uid, ate: +ate, up, iat: +iat || 0, anonymousId, id: sessionHandle ?? anonymousId ?? uid };
  } catch {
    return false;
  }
}

/** @param {string} text base64url or base64 */
function jsonOf(text) {
  const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))));
}

/** The token of an app's endpoint seen as a front token. @param {string} raw @returns {FrontToken | false} */
function decodeJwt(raw) {
  try {
    const up = jsonOf(raw.split(".")[1] ?? "");
    const { iat, exp, anonymousId, sub } = up;
    const id = anonymousId ?? sub ?? raw;
    return exp > 0 && { raw, uid: `G-${anonymousId ?? ""}`, ate: exp * 1000, up, iat: +iat || 0, anonymousId, id };
  } catch {
    return false;
  }
}

/** `undefined` when there is none, `false` when it cannot be read. @param {string} name */
export function storedToken(name) {
  const raw = getCookie(name);
  if (!raw) return undefined;
  if (parsed[name]?.raw !== raw) {
    const token = raw.includes(".") ? decodeJwt(raw) : decode(raw);
    if (!token) return token;
    parsed[name] = token;
  }
  return parsed[name];
}

/** `undefined` for nothing, `false` for "removed". @param {Response} response @param {string} name @param {string} remove */
export function announcedToken(response, name, remove) {
  const raw = response.headers.get(name);
  return raw === remove ? false : (raw && decode(raw)) || undefined;
}

/** @param {FrontToken} a @param {FrontToken} b */
export function samePayload(a, b) {
  return canonical(a) === canonical(b);
}

/** @param {FrontToken} token */
function canonical({ up }) {
  // An anonymous token is renewed now and then without being changed.
  return JSON.stringify(up.isAnonymous ? { ...up, iat: 0, exp: 0 } : up, (_, item) =>
    item && typeof item === "object" && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort()) : item,
  );
}

/** @param {string} key @returns {number} */
export function getStoredNumber(key) {
  try {
    return Number(localStorage.getItem(key)) || 0;
  } catch {
    return 0; // storage is denied
  }
}

/** @param {string} key @param {number} value */
export function setStoredNumber(key, value) {
  try {
    localStorage.setItem(key, String(value));
  } catch {
    // Storage is full or denied: the value holds for this page.
  }
}

// --- requests ------------------------------------------------------------------------------------------------------

/**
 * `send`, where there is one, sends it in place of `fetch`, and comes to what is used of a response.
 * @typedef {Pick<Response, "status" | "headers" | "clone">} Answer
 * @typedef {(headers: Headers, addCredentials: boolean) => Promise<Answer>} Send
 * @typedef {{ input: RequestInfo | URL, init?: RequestInit, headers: Headers, once: boolean, send?: Send }} Call
 */
/** @typedef {URL & { path: string, isIpv4: boolean }} Url */

/** On a patched `fetch`: the browser's own. */
const BENEATH = Symbol.for("passerby.fetch");

/** The browser's own. @type {typeof fetch} */
let original;
/** What was there before. @type {typeof fetch} */
let replaced;
/** @type {typeof fetch | undefined} */
let patched;

/** The URL if requests to it are ours. @type {(url: string | URL) => Url | false | undefined} */
export let findOurs;
/** Sends with the visitor's session. @type {(call: Call) => Promise<Answer>} */
export let intercept;

/**
 * @param {string} except in the fragment of a URL: not ours
 * @param {(url: Url) => boolean} isOurs
 * @param {(call: Call) => Promise<Response>} run
 */
export function patchFetch(except, isOurs, run) {
  findOurs = (text) => {
    const url = parseUrl(text);
    return url && !url.hash.includes(except) && isOurs(url) && url;
  };
  intercept = run;
  replaced = window.fetch;
  // Of several instances in one page, the last one does the work.
  original = /** @type {any} */ (replaced)[BENEATH] ?? replaced;
  patched = window.fetch = function fetch(input, init) {
    return arguments.length > 0 && findOurs(input instanceof Request ? input.url : input)
      ? new Promise((done) => done(run(prepare(input, init))))
      : original.apply(window, /** @type {Parameters<typeof fetch>} */ (/** @type {unknown} */ (arguments)));
  };
  Object.assign(patched, { [BENEATH]: original });
}

/** Leaves another library's wrapper around ours in place. */
export function restoreFetch() {
  if (window.fetch === patched) window.fetch = replaced;
}

/** @param {RequestInfo | URL} input @param {RequestInit} [init] @returns {Call} */
function prepare(input, init) {
  if (init instanceof Request) {
    input = new Request(input, init);
    init = undefined;
  }
  return {
    input,
    init,
    headers: new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined)),
    once: init?.body instanceof ReadableStream,
  };
}

/** @param {string} url */
export function makePost(url) {
  return prepare(url, { method: "POST", credentials: "include" });
}

/** @param {Call} call */
export function copyHeaders({ headers }) {
  return new Headers(headers);
}

/** @param {Headers} headers @param {string} name @param {string | undefined} value @param {boolean} replace */
export function setHeader(headers, name, value, replace) {
  if (value && (replace || !headers.has(name))) headers.set(name, value);
}

/** @param {Headers} headers @param {string} name @param {string | undefined} value */
export function dropHeader(headers, name, value) {
  if (headers.get(name) === value) headers.delete(name);
}

/** @param {Call} call @param {Headers} headers @param {boolean} addCredentials @param {number} timeout milliseconds */
export async function send(call, headers, addCredentials, timeout) {
  if (call.send) return call.send(headers, addCredentials);
  const { input, init } = call;
  const isRequest = input instanceof Request;
  const complete = { ...init, headers };
  if (addCredentials && !complete.credentials && !(isRequest && input.credentials === "omit")) {
    complete.credentials = "include";
  }
  if (timeout) complete.signal = AbortSignal.timeout?.(timeout);
  return original.call(window, isRequest ? input.clone() : input, complete);
}

/** @param {Response} response @param {string} name */
export function getHeader(response, name) {
  return response.headers.get(name) ?? undefined;
}

/** Several requests may have waited for one answer, and a body can be read once. @param {unknown} reason */
export async function responseOrReject(reason) {
  if (reason instanceof Response) return reason.clone();
  throw reason;
}

/** @param {Response} response @returns {Promise<FrontToken>} */
export async function tokenOfEndpoint(response) {
  const token = response.ok && decodeJwt((await response.json()).token);
  if (!token) throw makeError("NO_SESSION", "The anonymous endpoint did not answer { token: <jwt with exp> }");
  return token;
}

/** The JSON body, or nothing. @param {Response} response @returns {Promise<any>} */
const body = (response) => response.clone().json().catch(() => undefined);

/** The `message` of a JSON body. @param {Response} response */
export async function message(response) {
  return (await body(response))?.message;
}

/** Rejects with what the app's back end says against a sign-out; an empty body is fine. @param {Response} response */
export async function checkSignOut(response) {
  const { status, message } = (await body(response)) ?? {};
  if (status === "GENERAL_ERROR") {
    const error = makeError(status, message ?? "No Error Message Provided");
    throw Object.assign(error, { isSuperTokensGeneralError: true });
  }
}

/**
 * The release function once the lock is ours; nothing when it could not be had in time, or where there are no locks (insecure contexts).
 * @param {string} name @param {number} timeout milliseconds
 */
export function lock(name, timeout) {
  return new Promise((done) => {
    const abort = new AbortController();
    const giveUp = () => done(undefined);
    const timer = setTimeout(() => (abort.abort(), giveUp()), timeout);
    const held = () => {
      clearTimeout(timer);
      return new Promise((release) => done(release));
    };
    Promise.resolve()
      .then(() => navigator.locks.request(name, { signal: abort.signal }, held))
      .catch(giveUp);
  });
}

/** Who has the turn in this tab, until it is over. @type {Record<string, Promise<boolean> | undefined>} */
const turns = {};

/**
 * One at a time over all tabs, and one of each tab waits for that: its release function; `false` for the others of its tab, once
 * it is over; nothing when that took too long.
 * @param {string} name @param {number} timeout milliseconds
 */
export async function turn(name, timeout) {
  const others = turns[name];
  if (others) return Promise.race([others, new Promise((done) => setTimeout(done, timeout))]);
  /** @type {(isOurs: boolean) => void} */
  let over;
  turns[name] = new Promise((done) => (over = done));
  const release = await lock(name, timeout);
  return () => {
    turns[name] = undefined;
    over(false);
    unlock(release);
  };
}

/** @param {(() => void) | undefined} release */
export function unlock(release) {
  release?.();
}

// --- the app -------------------------------------------------------------------------------------------------------

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {BroadcastChannel | undefined} */
let channel;
/** @type {{ state: string, token?: FrontToken } | undefined} */
let seen;
let snapshot = {};

export const now = () => Date.now();

/** @param {() => void} listener */
export function subscribe(listener) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function notify() {
  // A copy, because listeners come and go while they are called.
  for (const listener of [...listeners]) if (listeners.has(listener)) guarded(listener);
}

/** The app's callbacks must not fail the app's requests. @param {() => void} callback */
function guarded(callback) {
  try {
    callback();
  } catch (error) {
    console.error(error);
  }
}

/** Stored state is the truth; a message is only a hint to look again. */
export function listen() {
  try {
    channel = new BroadcastChannel("passerby");
    channel.onmessage = notify;
  } catch {
    // Not available: other tabs see the change at their next request.
  }
}

export function changed() {
  notify();
  channel?.postMessage(0);
}

export function silence() {
  channel?.close();
  channel = undefined;
  listeners.clear();
}

/**
 * @param {((event: object) => void) | undefined} handler
 * @param {string} action
 * @param {boolean | undefined} sessionExpiredOrRevoked
 */
export function emit(handler, action, sessionExpiredOrRevoked) {
  const detail = sessionExpiredOrRevoked === undefined ? {} : { sessionExpiredOrRevoked };
  guarded(() => handler?.({ action, userContext: {}, ...detail }));
}

/** The same object until something changes. @param {string} state @param {FrontToken | undefined} token */
export function takeSnapshot(state, token) {
  if (seen?.state !== state || seen.token !== token) {
    seen = { state, token };
    const details = token && {
      userId: token.uid,
      anonymousId: token.anonymousId,
      expiresAt: token.ate,
      payload: token.up,
    };
    snapshot = Object.freeze({ state, ...details });
  }
  return snapshot;
}

/** @param {string} code @param {string} text */
export function makeError(code, text) {
  return Object.assign(new Error(text), { name: "SessionError", code });
}

/** @param {Call} call @param {number} attempts */
export function tooManyRetries({ input }, attempts) {
  const url = input instanceof Request ? input.url : input;
  return makeError(
    "TOO_MANY_RETRIES",
    `Received a 401 response from ${url}. Attempted to refresh the session ${attempts} times ` +
      "(maxRetryAttemptsForSessionRefresh), and each time the API answered 401 again.",
  );
}

// --- values --------------------------------------------------------------------------------------------------------

/** @param {any} object @param {string} key */
export function get(object, key) {
  return object[key];
}

/** @param {any} object @param {string} key @param {number} fallback */
export function getNumber(object, key, fallback) {
  const value = object[key] ?? fallback;
  return typeof value === "number" ? value : NaN;
}

/** @param {unknown[]} list @param {unknown} item */
export function includes(list, item) {
  return list.includes(item);
}

/** @param {string} text */
export function tidy(text) {
  return text.trim().toLowerCase();
}

/** @param {string} a @param {string} b */
export function concat(a, b) {
  return a + b;
}

/** Resolved against the document, as `fetch` does. @param {string | URL} text @returns {Url | undefined} */
export function parseUrl(text) {
  try {
    const url = new URL(text, document.baseURI);
    // A URL parser lets a host end in a number only if it is an IPv4 address.
    return Object.assign(url, { path: url.pathname.replace(/\/$/, ""), isIpv4: /(^|\.)\d+$/.test(url.hostname) });
  } catch {
    return undefined;
  }
}

const redirectBack = () => new URLSearchParams(location.search).get("redirectBack");

/** Where `?redirectBack=` leads. */
export function redirectTarget() {
  return parseUrl(redirectBack() ?? "/");
}

/** @param {string} path */
export function pathWithReturn(path) {
  const url = new URL(path, location.origin);
  const back = redirectBack();
  if (back) url.searchParams.set("redirectBack", back);
  return url.href;
}

export function ownOrigin() {
  return location.origin;
}

/** @param {string} url */
export function replaceLocation(url) {
  location.replace(url);
}

export function hasWindow() {
  return typeof window !== "undefined" && typeof document !== "undefined";
}
