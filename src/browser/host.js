// The one place that touches the browser. It reads, writes and converts; what to do is decided in
// Rust.

import {
  cookieText,
  custom,
  given,
  guarded,
  handlers,
  onceWritten,
  stays,
  synchronise,
  writeCookie,
} from "./handlers.js";
import { parseUrl } from "./scope.js";

/**
 * A parsed front token. `id` is the session handle, or the anonymousId of an anonymous session;
 * `numbers` are what the machine sees of it.
 * @typedef {{
 *   raw: string,
 *   id: unknown,
 *   uid: string,
 *   ate: number,
 *   anonymousId: unknown,
 *   up: Record<string, unknown>,
 *   numbers: number[],
 * }} FrontToken
 */

// --- on whose behalf -----------------------------------------------------------------------------

/**
 * The `userContext` of the caller for whom something is done; nothing while the `fetch` beneath is
 * called.
 * @type {unknown}
 */
let caller = {};

export const currentCaller = () => caller;

/**
 * Everything that begins in `act` is for this caller.
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

/** @type {(url: URL) => boolean} */
let isOurs;
/** @type {(call: Call) => Promise<Answer>} */
let run;
/** Storage may have changed without us. */
let hear = () => {};

/** @param {typeof isOurs} decide @param {typeof run} send @param {typeof hear} look */
export function connect(decide, send, look = hear) {
  isOurs = decide;
  run = send;
  hear = look;
}

// --- stored state --------------------------------------------------------------------------------

/**
 * The attributes that cookies are written with, as configured: the next ones where the browser
 * refuses the ones before, or where something is left to delete.
 */
let attributes = [""];

/** @param {string | undefined} domain @param {boolean | undefined} isInIframe */
export function configureCookies(domain, isInIframe) {
  debug("init");
  const host = handlers.window.location.getHostName();
  const scope = domain && domain !== "localhost" && domain !== host ? `domain=${domain};` : "";
  // A browser that blocks third-party cookies lets a frame have its own for each website.
  const sites = isInIframe ? ["none;secure", "none;secure;partitioned"] : ["lax"];
  attributes = sites.map((site) => `${scope}path=/;samesite=${site}`);
}

/** The cookies when they were last taken apart, which takes far longer than to read them. */
let latest = "";
/** Their values. @type {Record<string, string | undefined>} */
let values = {};

/**
 * The last non-empty cookie of that name, as the peers read it.
 * @param {string} name
 * @param {string} [text] of all
 */
export function getCookie(name, text = cookieText()) {
  if (text !== latest) {
    latest = text;
    values = {};
    for (const pair of text.split(";")) {
      const [key = "", ...rest] = pair.split("=");
      values[key.trim()] = rest.join("=") || values[key.trim()];
    }
  }
  return values[name];
}

/** An empty value deletes. @param {string} name @param {string | number} value */
export function setCookie(name, value) {
  // At the end of the year 9999: as long as the browser keeps one.
  const expires = new Date(value ? 253402300799e3 : 0).toUTCString();
  debug(`${value ? "store" : "delete"} ${name}`);
  const isKept = (/** @type {string} */ some) => {
    writeCookie(name, value, `expires=${expires};${some}`);
    return (getCookie(name) ?? "") === `${value}`;
  };
  if (!attributes.some(isKept)) say("refused", name);
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
    const json = JSON.parse(
      new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))),
    );
    const { uid, ate, up, partitioned } = jwt
      ? { uid: `G-${json.anonymousId ?? ""}`, ate: json.exp * 1000, up: json }
      : json;
    // The server's cookies are. In a frame ours have to be where those are.
    if (partitioned) attributes.sort().reverse();
    const { iat, sessionHandle, anonymousId } = up;
    const id = sessionHandle ?? anonymousId ?? (jwt ? (json.sub ?? raw) : uid);
    const numbers = [
      numberOf(ids, id),
      +iat || 0,
      +ate,
      numberOf(payloads, canonical(up)),
      anonymousId === undefined ? 0 : numberOf(ids, anonymousId),
    ];
    return (
      ate >= 0 && typeof up === "object" && { raw, uid, ate: +ate, up, anonymousId, id, numbers }
    );
  } catch {
    return false;
  }
}

/** Session handles and ids that have numbers in their place, from 1. @type {unknown[]} */
export const ids = [];
/** The same of payloads. @type {unknown[]} */
const payloads = [];

/** @param {unknown[]} list @param {unknown} value */
function numberOf(list, value) {
  // Pages stay open for weeks. No answer comes so late that it would find another number.
  delete list[list.length - 999];
  return list.indexOf(value) + 1 || list.push(value);
}

/** The same text for the same payload. @param {Record<string, unknown>} up */
const canonical = (up) =>
  // An anonymous token is renewed now and then without being changed.
  JSON.stringify(up.isAnonymous ? { ...up, iat: 0, exp: 0 } : up, (_, item) =>
    item && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort())
      : item,
  );

// --- requests ------------------------------------------------------------------------------------

/**
 * `send`, where there is one, sends it in place of `fetch`, and comes to what is used of a
 * response.
 * @typedef {Pick<Response, "status" | "headers" | "clone"> & {
 *   redirected?: boolean,
 *   url?: string, // empty or missing where nobody knows
 * }} Answer
 * @typedef {(headers: Headers, addCredentials: boolean) => Promise<Answer>} Send
 * @typedef {{
 *   input: RequestInfo | URL,
 *   init?: RequestInit,
 *   headers: Headers,
 *   once: boolean,
 *   send?: Send,
 *   hook?: Hook,
 *   end?: () => void,
 * }} Call
 * @typedef {Pick<import("./handlers.js").HookContext, "action" | "userContext">} Hook
 */

/**
 * On a patched `fetch`, and on `window`, where apps of SuperTokens look for it: what we send with,
 * for the time being the browser's own.
 */
const BENEATH = "__supertokensOriginalFetch";

/** With the visitor's session, patched or not. @type {typeof fetch} */
export let sessionFetch;
/** The browser's own, once it is patched. @type {typeof fetch} */
export let original;
/** The `fetch` that was there before. @type {typeof fetch} */
let replaced;
/** @type {typeof fetch | undefined} */
let patched;
/** Whether SuperTokens itself is on the page, too: it sends with what is there, and so do we. */
let isTheirs = false;
/**
 * From one start to the next: another library may have put ours of an earlier one beneath its own.
 */
let era = 0;

/** Empty before `init`. */
export let refreshUrl = "";
/** The URL if requests to it are ours. @type {(url: string | URL) => URL | false | undefined} */
export let findOurs;

/**
 * Whether requests to it are ours as `init` was told, whatever an override says.
 * @param {string} text
 */
export function isOursByRule(text) {
  const url = parseUrl(text);
  return !!url && isOurs(url);
}

/** Sends with the visitor's session. @param {Call} call */
export const intercept = (call) =>
  custom ? /** @type {Promise<void>} */ (synchronise()).then(() => run(call)) : run(call);

/**
 * @param {string} url of the refresh endpoint
 * @param {string} except in the fragment of a URL: leave this request alone
 */
export function patchFetch(url, except = "superTokensDoNotDoInterception") {
  refreshUrl = url;
  const { recipe, interception } = given;
  const decide =
    recipe?.shouldDoInterceptionBasedOnUrl ?? ((/** @type {any} */ url) => isOurs(url));
  findOurs = (text) => {
    // A request that somebody's `fetch` makes by XMLHttpRequest, or by another one, is ours
    // already.
    const url = !!caller && parseUrl(text);
    return url && !url.hash.includes(except) && decide(/** @type {any} */ (url)) && url;
  };
  if (interception === "none") restoreFetch(true);
  // It is while the module is on its way, or since an earlier `init`.
  if (patched) return;
  replaced = window.fetch;
  const add = recipe?.addFetchInterceptorsAndReturnModifiedFetch ?? modifyFetch;
  sessionFetch = modifyFetch({ originalFetch: replaced });
  if (interception !== "none") {
    patched = add({ originalFetch: replaced, userContext: {} });
    // Another library may have locked it.
    if (!Reflect.set(window, "fetch", patched)) say("locked", "fetch");
    isTheirs = !!(/** @type {any} */ (window)[BENEATH]);
    /** @type {any} */ (window)[BENEATH] ??= original;
  }
}

/** @param {{ originalFetch: typeof fetch }} input */
export function modifyFetch({ originalFetch }) {
  // Of several instances in one page, the last one does the work.
  const beneath = (original = /** @type {any} */ (originalFetch)[BENEATH] ?? originalFetch);
  const mine = era;
  /** @type {typeof fetch} */
  const modified = function fetch(input, init) {
    if (
      mine !== era ||
      !arguments.length ||
      !findOurs(input instanceof Request ? input.url : input)
    ) {
      return beneath.apply(
        window,
        /** @type {Parameters<typeof fetch>} */ (/** @type {unknown} */ (arguments)),
      );
    }
    return new Promise((done, fail) => {
      const signal = init?.signal ?? /** @type {Partial<Request>} */ (input)?.signal;
      // Honoured while the request waits for another one, too.
      const end = new AbortController();
      signal?.addEventListener(
        "abort",
        () => fail(signal.reason ?? new DOMException("The request was aborted", "AbortError")),
        end,
      );
      intercept(prepare(input, init))
        .finally(() => end.abort())
        .then(/** @type {any} */ (done), fail);
    });
  };
  return Object.assign(modified, { [BENEATH]: beneath });
}

/** Leaves another library's wrapper around ours in place; ours is a mere passage from then on. */
export function restoreFetch(isNeeded = !stays) {
  if (!isNeeded) return;
  if (patched) {
    if (window.fetch === patched) Reflect.set(window, "fetch", replaced);
    if (!isTheirs) delete (/** @type {any} */ (window)[BENEATH]);
    patched = undefined;
  }
  era++;
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
    // By what it has: test runners have pages without this class.
    once: "getReader" in Object(init?.body),
  };
}

/** @param {string} url */
export function makePost(url) {
  return prepare(url, { method: "POST", credentials: "include" });
}

/**
 * Code that few visitors need. It imports nothing, because what it shared with the entry would have
 * to become a third file.
 */
export const rare = async () =>
  (await import("./rare.js")).make(given, prepare, limited, body, makeError, tell);

/**
 * Writes to the console, in words that few need.
 * @param {"again" | "locked" | "log" | "needless" | "refused" | "spent"} what
 * @param {any} [detail]
 * @param {any} [time]
 */
export function say(what, detail, time) {
  rare()
    .then((its) => its[what](detail, time))
    .catch(() => {});
}

/** @param {string} message without tokens and ids */
function debug(message) {
  if (given.enableDebugLogs) say("log", message, Date.now());
}

/**
 * The call of a session route as the app's hook wants it.
 * @param {Call} call @param {"REFRESH_SESSION" | "SIGN_OUT"} action
 */
export async function hooked(call, action) {
  const userContext = caller;
  return given.preAPIHook || given.postAPIHook
    ? (await rare()).hooked(call, { action, userContext })
    : call;
}

/** @param {Call} call @param {Response} response */
export async function answered(call, response) {
  if (call.hook && response.ok) await (await rare()).answered(call, response);
}

/**
 * The result of a promise, or that of `instead` after so many milliseconds. Its timer ends with it:
 * frameworks wait for timers.
 * @template T, U
 * @param {T} value
 * @param {number} milliseconds
 * @param {() => U} [instead]
 * @returns {Promise<Awaited<T> | Awaited<U>>}
 */
export function limited(value, milliseconds, instead) {
  /** @type {number | undefined} */
  let timer;
  const late = new Promise((done) => (timer = setTimeout(() => done(instead?.()), milliseconds)));
  return Promise.race([value, late]).finally(() => clearTimeout(timer));
}

/**
 * @param {Headers} headers
 * @param {string} name
 * @param {string | undefined} value
 * @param {boolean} [replace]
 */
export function setHeader(headers, name, value, replace) {
  try {
    if (value && (replace || !headers.has(name))) headers.set(name, value);
  } catch {
    // A script that can write cookies can write a value that no header takes: the request goes
    // without it.
  }
}

/**
 * @param {Call} call
 * @param {Headers} headers
 * @param {boolean} addCredentials
 * @param {number} timeout milliseconds
 */
export async function send(call, headers, addCredentials, timeout) {
  debug("send a request");
  if (call.send) return call.send(headers, addCredentials);
  const { input, init } = call;
  const isRequest = input instanceof Request;
  const isPlain = Object.getPrototypeOf(Object(init)) === Object.prototype;
  const complete = { ...(isPlain ? init : (await rare()).members(init)), headers };
  if (addCredentials && !complete.credentials && !(isRequest && input.credentials === "omit")) {
    complete.credentials = "include";
  }
  if (timeout) {
    const abort = new AbortController();
    call.end = () => abort.abort();
    complete.signal = abort.signal;
  }
  const sent = within(0, () => {
    const beneath = /** @type {any} */ (window)[BENEATH] ?? original;
    return beneath.call(window, isRequest ? input.clone() : input, complete);
  });
  // An abandoned call must leave no cookies.
  const giveUp = () => (
    call.end?.(),
    Promise.reject(makeError("REFRESH_FAILED", "No answer in time"))
  );
  return timeout ? limited(sent, timeout, giveUp) : sent;
}

/** Without the session. @param {Call} call */
export const bare = (call) => send(call, new Headers(call.headers), false, 0);

/** @param {Call} call */
export const urlOf = ({ input }) => /** @type {Partial<Request>} */ (input).url ?? `${input}`;

/** The JSON body, or nothing. @param {Pick<Response, "clone">} response @returns {Promise<any>} */
export async function body(response) {
  try {
    return await response.clone().json();
  } catch {
    return undefined;
  }
}

/** Tells the app of claims that its back end refused a request for. @param {Answer} response */
export async function checkClaims(response) {
  const userContext = caller;
  try {
    // Anything else is the app's own, and may be large.
    if (response.headers.get("content-type")?.includes("json"))
      await (await rare()).checkClaims(response, userContext);
  } catch {
    // A refusal of the app's own.
  }
}

/**
 * The release function once the lock is ours; nothing when it could not be had in time.
 * @param {string} name
 * @param {number} timeout milliseconds
 * @returns {Promise<(() => void) | undefined>}
 */
export function lock(name, timeout) {
  return new Promise((done) => {
    const abort = new AbortController();
    const options = { signal: abort.signal, factory: handlers.lock, timeout };
    const request = async () => {
      // Those of a page that nobody looks at yet wait for that.
      const isNative = !handlers.lock && !(/** @type {any} */ (document).prerendering);
      const locks = (isNative && navigator.locks) || (await import("./locks.js"));
      await locks.request(name, options, async () => {
        await caughtUp();
        await new Promise((release) => done(/** @type {() => void} */ (release)));
      });
    };
    const giveUp = () => (abort.abort(), done(undefined));
    limited(request(), timeout).then(giveUp, giveUp);
  });
}

/** The key of a new visitor, in storage. */
const FIRST = "passerby-first";

/**
 * Names a visitor who has no session yet, until they have one. In storage and not in a cookie,
 * which a sub-domain could plant.
 * @param {Headers} headers @param {string} name @param {string} prefix
 */
export function setFirstKey(headers, name, prefix) {
  const { localStorage } = handlers.window;
  try {
    let key = localStorage.getItemSync(FIRST);
    if (!key)
      localStorage.setItemSync(FIRST, (key = crypto.getRandomValues(new Uint8Array(16)).join("-")));
    setHeader(headers, name, prefix + key, false);
  } catch {
    // Storage is full or denied: a server that is asked twice makes two sessions, and the last one
    // stays.
  }
}

export function forgetFirstKey() {
  try {
    handlers.window.localStorage.removeItemSync(FIRST);
  } catch {
    // There is none.
  }
}

// --- the app -------------------------------------------------------------------------------------

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {BroadcastChannel | undefined} */
let channel;
/** @type {{ state: string, token?: FrontToken } | undefined} */
let seen;
let snapshot = {};

/**
 * A cookie that a script of another tab wrote may come later than its message and its lock: the
 * browser's processes hear of cookies in their own time. The store of cookies answers after that.
 * `false` where there is none.
 */
async function caughtUp() {
  try {
    await (custom ? synchronise() : cookieStore.get(FIRST));
    return true;
  } catch {
    return false;
  }
}

/** @param {() => void} listener */
export function subscribe(listener) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

export function notify() {
  // A copy, because listeners come and go while they are called.
  for (const listener of [...listeners]) if (listeners.has(listener)) guarded(listener);
}

function hint() {
  hear();
  notify();
}

/** This tab. */
const TAB = Math.random().toString(36).slice(2);

/**
 * Stored state is the truth; a message is only a hint to look again, and what events the others
 * had.
 */
export function listen() {
  try {
    channel ??= new BroadcastChannel("passerby");
    // Node's would keep a test runner from ending.
    /** @type {any} */ (channel).unref?.();
    channel.onmessage = async ({ data }) => {
      // `setCookie` of the other tab read back what it wrote, which sends it on its way before the
      // message.
      if (!(await caughtUp())) await new Promise((done) => setTimeout(done, 50));
      hint();
      if (data && given.eventsOfOtherTabs) guarded(() => given.onHandleEvent?.(data));
      setTimeout(hint, 250);
    };
  } catch {
    // Not available: other tabs see the change at their next request.
  }
  addEventListener("pageshow", look);
  addEventListener("visibilitychange", look);
}

/**
 * A page that was kept for "back", or a tab that was not looked at, missed what happened.
 * @param {Event} event
 */
function look(event) {
  if (/** @type {PageTransitionEvent} */ (event).persisted ?? !document.hidden)
    void caughtUp().then(hint);
}

export function changed() {
  notify();
  channel?.postMessage(0);
}

export function silence() {
  if (stays) return;
  channel?.close();
  channel = undefined;
  listeners.clear();
  // Node has no such function, and may dispose of what was never started.
  const { removeEventListener: stop } = globalThis;
  stop?.("pageshow", look);
  stop?.("visibilitychange", look);
}

/** @param {{ action: string, userContext: unknown, [detail: string]: unknown }} event */
export function tell(event) {
  debug(`event ${event.action}`);
  if (given.eventsOfOtherTabs) {
    event = { ...event, tab: TAB };
    // An app's own claims may hold what cannot be sent.
    guarded(() => channel?.postMessage({ ...event, userContext: {} }));
  }
  onceWritten(() => guarded(() => given.onHandleEvent?.(event)));
}

/**
 * The same object until something changes.
 * @param {string} state
 * @param {FrontToken | undefined} token
 */
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
  // The app may get a mere "Network Error" of these.
  if (/^[TF]/.test(code)) console.error(text);
  return Object.assign(new Error(text), { name: "SessionError", code });
}

export function hasWindow() {
  return typeof window !== "undefined" && typeof document !== "undefined";
}
