// The one place that touches the browser. It reads, writes and converts; what to do is decided in Rust.

import { COOKIE_ANONYMOUS_FRONT_TOKEN, COOKIE_ANONYMOUS_TOKEN, REFRESH_PATH } from "./names.js";
import { hear, run } from "./tasks.js";
import { cookieText, custom, debug, give, given, guarded, handlers, onceWritten, synchronise, writeCookie } from "./handlers.js";

/**
 * A parsed front token. `id` is the session handle, or the anonymousId of an anonymous session.
 * @typedef {{ raw: string, id: unknown, uid: string, iat: number, ate: number, anonymousId: unknown, up: Record<string, unknown>, number?: number }} FrontToken
 */

// --- on whose behalf -----------------------------------------------------------------------------------------------

/** The `userContext` of the caller for whom something is done. @type {unknown} */
let caller = {};

export const currentCaller = () => caller;

/**
 * Whatever begins in `act` is for this caller.
 * @template T @param {unknown} userContext @param {() => T} act @returns {T}
 */
export function within(userContext, act) {
  const outer = caller;
  caller = userContext;
  try {
    return act();
  } finally {
    caller = outer;
  }
}

/** @type {(url: Url) => boolean} */
let isOurs;

/** What Rust does. @param {typeof isOurs} decide */
export function connect(decide) {
  isOurs = decide;
}

// --- stored state --------------------------------------------------------------------------------------------------

/** What `cookieAttributes` were configured. */
let attributes = "";

/** What `init` said about the API. */
export const site = { base: "", mode: "", addCredentials: true, endpoint: "", keySet: "", isOwnOrigin: false };

/** The cookie that shows the anonymous session. The token of an endpoint is readable, so that nothing else need be kept. */
export const anonymousCookie = () => (site.endpoint ? COOKIE_ANONYMOUS_TOKEN : COOKIE_ANONYMOUS_FRONT_TOKEN);

/**
 * @param {import("./handlers.js").Given} options @param {string | undefined} domain @param {boolean} isInIframe @param {string} base of the
 * session routes @param {boolean} inHeaders @param {boolean} addCredentials @param {string | undefined} endpoint
 * @param {string | undefined} keySet
 */
export function configure(options, domain, isInIframe, base, inHeaders, addCredentials, endpoint = "", keySet = "") {
  give(options);
  const isOwnOrigin = parseUrl(base)?.origin === location.origin;
  Object.assign(site, { base, mode: inHeaders ? "header" : "cookie", addCredentials, endpoint, keySet, isOwnOrigin });
  refreshUrl = base + REFRESH_PATH;
  const host = handlers.window.location.getHostName();
  const scope = domain && domain !== "localhost" && domain !== host ? `domain=${domain};` : "";
  attributes = scope + (isInIframe ? "path=/;samesite=none;secure" : "path=/;samesite=lax");
}

/** The last non-empty cookie of that name, as the peers read it. @param {string} name */
export function getCookie(name) {
  let value;
  for (const pair of cookieText().split(";")) {
    const [key = "", ...rest] = pair.split("=");
    if (key.trim() === name) value = rest.join("=") || value;
  }
  return value;
}

/** An empty value deletes. @param {string} name @param {string | number} value */
export function setCookie(name, value) {
  const expires = value ? "Fri, 31 Dec 9999 23:59:59 GMT" : "Thu, 01 Jan 1970 00:00:00 GMT";
  debug(`${value ? "store" : "delete"} ${name}`);
  writeCookie(name, value, `expires=${expires};${attributes}`);
  if (!value && getCookie(name)) {
    // An earlier release of the app may have written it for another domain.
    const parts = handlers.window.location.getHostName().split(".");
    writeCookie(name, "", `expires=${expires};path=/`);
    parts.forEach((_, from) => writeCookie(name, "", `expires=${expires};path=/;domain=${parts.slice(from).join(".")}`));
  }
  if ((getCookie(name) ?? "") !== `${value}`) {
    console.warn(
      `Saving to cookies was not successful: the browser refused "${name}" (over 4096 bytes, blocked, or in an iframe ` +
        "without isInIframe?)",
    );
  }
}

/**
 * A front token, or the token of an app's endpoint seen as one; `false` when it cannot be read.
 * @param {string} raw @returns {FrontToken | false}
 */
export function decode(raw) {
  try {
    const [text = "", jwt, signature] = raw.split(".");
    // Nobody vouches for what nobody signed.
    if (jwt && !signature) return false;
    // The alphabet of either base64.
    const bytes = atob((jwt ?? text).replace(/-/g, "+").replace(/_/g, "/"));
    const json = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))));
    const { uid, ate, up } = jwt ? { uid: `G-${json.anonymousId ?? ""}`, ate: json.exp * 1000, up: json } : json;
    const { iat, sessionHandle, anonymousId } = up;
    const id = sessionHandle ?? anonymousId ?? (jwt ? (json.sub ?? raw) : uid);
    return ate >= 0 && typeof up === "object" && { raw, uid, ate: +ate, up, iat: +iat || 0, anonymousId, id };
  } catch {
    return false;
  }
}

// --- requests ------------------------------------------------------------------------------------------------------

/**
 * `send`, where there is one, sends it in place of `fetch`, and comes to what is used of a response.
 * @typedef {Pick<Response, "status" | "headers" | "clone">} Answer
 * @typedef {(headers: Headers, addCredentials: boolean) => Promise<Answer>} Send
 * @typedef {{ input: RequestInfo | URL, init?: RequestInit, headers: Headers, once: boolean, send?: Send, hook?: Hook, end?: () => void }} Call
 * @typedef {Pick<import("./handlers.js").HookContext, "action" | "userContext">} Hook
 */
/** @typedef {URL & { path: string, isIpv4: boolean }} Url */

/** Milliseconds until a hook of the app that hangs is no longer waited for. */
const HOOK_TIMEOUT = 20000;

/** On a patched `fetch`: the browser's own. */
const BENEATH = Symbol.for("passerby.fetch");

/** With the visitor's session, patched or not. @type {typeof fetch} */
export let sessionFetch;
/** The browser's own. @type {typeof fetch} */
let original;
/** What was there before. @type {typeof fetch} */
let replaced;
/** @type {typeof fetch | undefined} */
let patched;

/** Empty before `init`. */
export let refreshUrl = "";
/** The URL if requests to it are ours. @type {(url: string | URL) => Url | false | undefined} */
export let findOurs;
/** Whether requests to it are ours as `init` was told, whatever an override says. @type {(url: string) => boolean} */
export let isOursByRule;
/** Sends with the visitor's session. @type {(call: Call) => Promise<Answer>} */
export let intercept;

/** @param {string} except in the fragment of a URL: not ours */
export function patchFetch(except) {
  const { recipe, interception } = given;
  const decide = recipe?.shouldDoInterceptionBasedOnUrl ?? isOurs;
  isOursByRule = (text) => {
    const url = parseUrl(text);
    return !!url && isOurs(url);
  };
  findOurs = (text) => {
    const url = parseUrl(text);
    return url && !url.hash.includes(except) && decide(/** @type {any} */ (url)) && url;
  };
  intercept = custom ? async (call) => (await synchronise(), run(call)) : run;
  replaced = window.fetch;
  const add = recipe?.addFetchInterceptorsAndReturnModifiedFetch ?? modifyFetch;
  sessionFetch = modifyFetch({ originalFetch: replaced });
  if (interception !== "none") patched = window.fetch = add({ originalFetch: replaced, userContext: {} });
}

/** @param {{ originalFetch: typeof fetch }} input */
export function modifyFetch({ originalFetch }) {
  // Of several instances in one page, the last one does the work.
  original = /** @type {any} */ (originalFetch)[BENEATH] ?? originalFetch;
  /** @type {typeof fetch} */
  const modified = function fetch(input, init) {
    if (!arguments.length || !findOurs(input instanceof Request ? input.url : input)) {
      return original.apply(window, /** @type {Parameters<typeof fetch>} */ (/** @type {unknown} */ (arguments)));
    }
    return new Promise((done, fail) => {
      const signal = init?.signal ?? /** @type {Partial<Request>} */ (input)?.signal;
      // Honoured while the request waits for another one, too.
      const end = new AbortController();
      signal?.addEventListener("abort", () => fail(signal.reason), end);
      intercept(prepare(input, init))
        .finally(() => end.abort())
        .then(/** @type {any} */ (done), fail);
    });
  };
  return Object.assign(modified, { [BENEATH]: original });
}

/** The browser's own, whether it is patched or not. @type {typeof fetch} */
export const nativeFetch = (...args) => (original ?? window.fetch).apply(window, args);

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
    headers: new Headers(init?.headers ?? /** @type {Partial<Request>} */ (input)?.headers),
    once: init?.body instanceof ReadableStream,
  };
}

/** @param {string} url */
export function makePost(url) {
  return prepare(url, { method: "POST", credentials: "include" });
}

/**
 * The call of a session route as the app's hook wants it (reference 3.1).
 * @param {Call} call @param {"REFRESH_SESSION" | "SIGN_OUT"} action
 */
export async function hooked({ input, init, headers }, action) {
  const userContext = caller;
  // Hooks that were written for the peers spread the one and call methods of the other.
  const shown = action === "SIGN_OUT" ? Object.fromEntries(headers) : headers;
  const context = { action, url: `${input}`, requestInit: { ...init, headers: shown }, userContext };
  /** @type {{ url: string, requestInit: RequestInit } | undefined | void} */
  let made = context;
  if (given.preAPIHook) {
    made = await Promise.race([given.preAPIHook(context), after(HOOK_TIMEOUT)]);
    if (!made?.url) throw makeError("BAD_HOOK", `preAPIHook did not return { url, requestInit } for ${action}`);
  }
  return { ...prepare(made.url, made.requestInit), hook: { action, userContext } };
}

/** @param {Call} call @param {Response} response */
export async function answered({ input, init, headers, hook }, response) {
  if (!given.postAPIHook || !response.ok || !hook) return;
  const context = { ...hook, url: `${input}`, requestInit: { ...init, headers }, fetchResponse: response.clone() };
  try {
    await Promise.race([given.postAPIHook(context), after(HOOK_TIMEOUT)]);
  } catch (error) {
    // What it was to see has happened.
    console.error(error);
  }
}

/** @param {number} milliseconds @returns {Promise<void>} */
const after = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** @param {Call} call */
export function copyHeaders({ headers }) {
  return new Headers(headers);
}

/** @param {Headers} headers @param {string} name @param {string | undefined} value @param {boolean} replace */
export function setHeader(headers, name, value, replace) {
  if (value && (replace || !headers.has(name))) headers.set(name, value);
}

/** @param {Call} call @param {Headers} headers @param {boolean} addCredentials @param {number} timeout milliseconds */
export async function send(call, headers, addCredentials, timeout) {
  debug("send a request");
  if (call.send) return call.send(headers, addCredentials);
  const { input, init } = call;
  const isRequest = input instanceof Request;
  const complete = { ...init, headers };
  if (addCredentials && !complete.credentials && !(isRequest && input.credentials === "omit")) {
    complete.credentials = "include";
  }
  if (!timeout) return original.call(window, isRequest ? input.clone() : input, complete);
  const end = new AbortController();
  call.end = () => end.abort();
  const timer = setTimeout(call.end, timeout);
  complete.signal = end.signal;
  return original.call(window, input, complete).finally(() => clearTimeout(timer));
}

/** A response that the app made has no address. @param {Answer & { url?: string }} response */
export const isFromUs = ({ url }) => !url || !!findOurs(url);

/** The JSON body, or nothing. @param {Pick<Response, "clone">} response @returns {Promise<any>} */
const body = (response) => response.clone().json().catch(() => undefined);

/** Tells the app of claims that its back end refused a request for. @param {Answer} response */
export async function checkClaims(response) {
  const userContext = caller;
  const read = given.recipe?.getInvalidClaimsFromResponse;
  try {
    // Anything else is the app's own, and may be large.
    if (!response.headers.get("content-type")?.includes("json")) return;
    const claimValidationErrors = read
      ? await read({ response, userContext })
      : (await body(response))?.claimValidationErrors;
    if (claimValidationErrors) tell({ action: "API_INVALID_CLAIM", claimValidationErrors, userContext });
  } catch {
    // A refusal of the app's own.
  }
}

/** The `message` of a JSON body. @param {Pick<Response, "clone">} response */
export async function message(response) {
  return (await body(response))?.message;
}

/** Rejects with what the app's back end says against a sign-out; an empty body is fine. @param {Pick<Response, "clone">} response */
export async function checkSignOut(response) {
  const { status, message } = (await body(response)) ?? {};
  if (status === "GENERAL_ERROR") {
    throw Object.assign(makeError(status, message ?? "No Error Message Provided"), { isSuperTokensGeneralError: true });
  }
}

/**
 * The release function once the lock is ours; nothing when it could not be had in time.
 * @param {string} name @param {number} timeout milliseconds @returns {Promise<(() => void) | undefined>}
 */
export function lock(name, timeout) {
  return new Promise((done) => {
    const abort = new AbortController();
    const options = { signal: abort.signal, factory: handlers.lock, timeout };
    const request = async () => {
      const locks = !handlers.lock && navigator.locks ? navigator.locks : await import("./locks.js");
      await locks.request(name, options, () => new Promise((release) => done(/** @type {() => void} */ (release))));
    };
    const giveUp = () => (abort.abort(), done(undefined));
    Promise.race([request(), after(timeout)]).then(giveUp, giveUp);
  });
}

/** The key of a new visitor, in storage. */
const FIRST = "passerby-first";

/**
 * Names who has no session yet, until he has. In storage and not in a cookie, which a sub-domain could plant.
 * @param {Headers} headers @param {string} name @param {string} prefix
 */
export function setFirstKey(headers, name, prefix) {
  const { localStorage } = handlers.window;
  try {
    let key = localStorage.getItemSync(FIRST);
    if (!key) localStorage.setItemSync(FIRST, (key = crypto.getRandomValues(new Uint8Array(16)).join("-")));
    setHeader(headers, name, prefix + key, false);
  } catch {
    // Storage is full or denied: a server that is asked twice makes two sessions, and the last one stays.
  }
}

export function forgetFirstKey() {
  try {
    handlers.window.localStorage.removeItemSync(FIRST);
  } catch {
    // There is none.
  }
}

// --- the app -------------------------------------------------------------------------------------------------------

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {BroadcastChannel | undefined} */
let channel;
/** @type {{ state: string, token?: FrontToken } | undefined} */
let seen;
let snapshot = {};

/** By this device's clock, in epoch milliseconds. */
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

/** This tab. */
const TAB = Math.random().toString(36).slice(2);

/** Stored state is the truth; a message is only a hint to look again, and what events the others had. */
export function listen() {
  try {
    channel = new BroadcastChannel("passerby");
    channel.onmessage = ({ data }) => {
      hear();
      notify();
      if (data && given.eventsOfOtherTabs) guarded(() => given.onHandleEvent?.(data));
    };
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

/** @param {{ action: string, userContext: unknown, [detail: string]: unknown }} event */
function tell(event) {
  debug(`event ${event.action}`);
  const shared = { ...event, userContext: {}, tab: TAB };
  if (given.eventsOfOtherTabs) channel?.postMessage(shared);
  onceWritten(() => guarded(() => given.onHandleEvent?.(given.eventsOfOtherTabs ? { ...event, tab: TAB } : event)));
}

/** @param {string} action @param {boolean} [sessionExpiredOrRevoked] */
export function emit(action, sessionExpiredOrRevoked) {
  tell({ action, userContext: caller, ...(sessionExpiredOrRevoked !== undefined && { sessionExpiredOrRevoked }) });
}

/** The same object until something changes. @param {string} state @param {FrontToken | undefined} token */
export function takeSnapshotOf(state, token) {
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

// --- values --------------------------------------------------------------------------------------------------------

/** @param {any} object @param {string} key */
export function get(object, key) {
  return object[key];
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

export function hasWindow() {
  return typeof window !== "undefined" && typeof document !== "undefined";
}
