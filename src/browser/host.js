// The one place that touches the browser. It reads, writes and converts; what to do is decided in
// Rust.

import {
  cookieText,
  customCookies,
  handlers,
  initOptions,
  isRestarting,
  onceWritten,
  reportingErrors,
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
let userContextNow = {};

export const currentUserContext = () => userContextNow;

/**
 * Everything that begins in `act` is for this caller.
 * @template T @param {unknown} userContext @param {() => T} act @returns {T}
 */
export function withUserContext(userContext, act) {
  const outer = userContextNow;
  userContextNow = userContext;
  try {
    return act();
  } finally {
    userContextNow = outer;
  }
}

/** @type {(url: URL) => boolean} */
let isOurs;
/** @type {(call: Call) => Promise<Answer>} */
let run;
/** Storage may have changed without us. */
let lookAgain = () => {};

/** @param {typeof isOurs} decide @param {typeof run} send @param {typeof lookAgain} look */
export function connect(decide, send, look = lookAgain) {
  isOurs = decide;
  run = send;
  lookAgain = look;
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
let cookiesText = "";
/** Their values. @type {Record<string, string | undefined>} */
let cookieValues = {};

/**
 * The last non-empty cookie of that name, as the peers read it.
 * @param {string} name
 * @param {string} [text] of all
 */
export function getCookie(name, text = cookieText()) {
  if (text !== cookiesText) {
    cookiesText = text;
    cookieValues = {};
    for (const pair of text.split(";")) {
      const [key = "", ...rest] = pair.split("=");
      cookieValues[key.trim()] = rest.join("=") || cookieValues[key.trim()];
    }
  }
  return cookieValues[name];
}

/**
 * An empty value deletes. The function that it returns reads it back: `false` if it was refused.
 * Another value than before is of a tab that wrote in the same moment.
 * @param {string} name @param {string | number} value
 */
export function setCookie(name, value) {
  // At the end of the year 9999: as long as the browser keeps one.
  const expires = new Date(value ? 253402300799e3 : 0).toUTCString();
  debug(`${value ? "store" : "delete"} ${name}`);
  const before = getCookie(name);
  const isKept = () => {
    const after = getCookie(name);
    // A deletion may show a second cookie of that name.
    return value ? after === `${value}` || after !== before : !after;
  };
  const write = (/** @type {string} */ some) => {
    writeCookie(name, value, `expires=${expires};${some}`);
    return isKept();
  };
  if (!attributes.some(write) && getCookie(name) === before) toConsole("refused", name);
  return isKept;
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
 *   once?: boolean,
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
const ORIGINAL_FETCH = "__supertokensOriginalFetch";

/** With the visitor's session, patched or not. @type {typeof fetch} */
export let sessionFetch;
/** The browser's own, once it is patched. @type {typeof fetch} */
export let nativeFetch;
/** The `fetch` that was there before. @type {typeof fetch} */
let previousFetch;
/** @type {typeof fetch | undefined} */
let ownFetch;
/** Whether SuperTokens itself is on the page, too: it sends with what is there, and so do we. */
let isTheirs = false;
/**
 * From one start to the next: another library may have put ours of an earlier one beneath its own.
 */
let generation = 0;

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
  customCookies ? /** @type {Promise<void>} */ (synchronise()).then(() => run(call)) : run(call);

/**
 * @param {string} url of the refresh endpoint
 * @param {string} except in the fragment of a URL: leave this request alone
 */
export function patchFetch(url, except = "superTokensDoNotDoInterception") {
  refreshUrl = url;
  const { recipe, interception } = initOptions;
  const decide =
    recipe?.shouldDoInterceptionBasedOnUrl ?? ((/** @type {any} */ url) => isOurs(url));
  findOurs = (text) => {
    // A request that somebody's `fetch` makes by XMLHttpRequest, or by another one, is ours
    // already.
    const url = !!userContextNow && parseUrl(text);
    return url && !url.hash.includes(except) && decide(/** @type {any} */ (url)) && url;
  };
  if (interception === "none") restoreFetch(true);
  // It is while the module is on its way, or since an earlier `init`.
  if (ownFetch) return;
  previousFetch = window.fetch;
  const add = recipe?.addFetchInterceptorsAndReturnModifiedFetch ?? modifyFetch;
  sessionFetch = modifyFetch({ originalFetch: previousFetch });
  if (interception !== "none") {
    ownFetch = add({ originalFetch: previousFetch, userContext: {} });
    // Another library may have locked it.
    if (!Reflect.set(window, "fetch", ownFetch)) toConsole("locked", "fetch");
    isTheirs = !!(/** @type {any} */ (window)[ORIGINAL_FETCH]);
    /** @type {any} */ (window)[ORIGINAL_FETCH] ??= nativeFetch;
  }
}

/** @param {{ originalFetch: typeof fetch }} input */
export function modifyFetch({ originalFetch }) {
  // Of several instances in one page, the last one does the work.
  const beneath = (nativeFetch =
    /** @type {any} */ (originalFetch)[ORIGINAL_FETCH] ?? originalFetch);
  const mine = generation;
  /** @type {typeof fetch} */
  const modified = function fetch(input, init) {
    if (
      mine !== generation ||
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
      const abort = () =>
        fail(signal?.reason ?? new DOMException("The request was aborted", "AbortError"));
      signal?.addEventListener("abort", abort);
      intercept(prepare(input, init))
        .finally(() => signal?.removeEventListener("abort", abort))
        .then(/** @type {any} */ (done), fail);
    });
  };
  return Object.assign(modified, { [ORIGINAL_FETCH]: beneath });
}

/** Leaves another library's wrapper around ours in place; ours is a mere passage from then on. */
export function restoreFetch(isNeeded = !isRestarting) {
  if (!isNeeded) return;
  if (ownFetch) {
    if (window.fetch === ownFetch) Reflect.set(window, "fetch", previousFetch);
    if (!isTheirs) delete (/** @type {any} */ (window)[ORIGINAL_FETCH]);
    ownFetch = undefined;
  }
  generation++;
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
export const loadRare = async () =>
  (await import("./rare.js")).make(
    initOptions,
    prepare,
    withTimeout,
    readJson,
    makeError,
    fireEvent,
  );

/**
 * Writes to the console, in words that few need.
 * @param {"again" | "locked" | "log" | "needless" | "refused" | "spent"} what
 * @param {any} [detail]
 * @param {any} [time]
 */
export function toConsole(what, detail, time) {
  loadRare()
    .then((its) => its[what](detail, time))
    .catch(() => {});
}

/** @param {string} message without tokens and ids */
function debug(message) {
  if (initOptions.enableDebugLogs) toConsole("log", message, Date.now());
}

/**
 * The call of a session route as the app's hook wants it.
 * @param {Call} call @param {"REFRESH_SESSION" | "SIGN_OUT"} action
 */
export async function runPreHook(call, action) {
  const userContext = userContextNow;
  return initOptions.preAPIHook || initOptions.postAPIHook
    ? (await loadRare()).preHook(call, { action, userContext })
    : call;
}

/** @param {Call} call @param {Response} response */
export async function runPostHook(call, response) {
  if (call.hook && response.ok) await (await loadRare()).postHook(call, response);
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
export function withTimeout(value, milliseconds, instead) {
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
  const complete = { ...(isPlain ? init : (await loadRare()).members(init)), headers };
  if (addCredentials && !complete.credentials && !(isRequest && input.credentials === "omit")) {
    complete.credentials = "include";
  }
  if (timeout) {
    const abort = new AbortController();
    call.end = () => abort.abort();
    complete.signal = abort.signal;
  }
  const sent = withUserContext(0, () => {
    const beneath = /** @type {any} */ (window)[ORIGINAL_FETCH] ?? nativeFetch;
    return beneath.call(window, isRequest ? input.clone() : input, complete);
  });
  // An abandoned call must leave no cookies.
  const giveUp = () => (
    call.end?.(),
    Promise.reject(makeError("REFRESH_FAILED", "No answer in time"))
  );
  return timeout ? withTimeout(sent, timeout, giveUp) : sent;
}

/** Without the session. @param {Call} call */
export const sendBare = (call) => send(call, new Headers(call.headers), false, 0);

/** @param {Call} call */
export const urlOf = ({ input }) => /** @type {Partial<Request>} */ (input).url ?? `${input}`;

/** The JSON body, or nothing. @param {Pick<Response, "clone">} response @returns {Promise<any>} */
export async function readJson(response) {
  try {
    return await response.clone().json();
  } catch {
    return undefined;
  }
}

/** Tells the app of claims that its back end refused a request for. @param {Answer} response */
export async function checkClaims(response) {
  const userContext = userContextNow;
  try {
    // Anything else is the app's own, and may be large.
    if (response.headers.get("content-type")?.includes("json"))
      await (await loadRare()).checkClaims(response, userContext);
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
        await cookiesCaughtUp();
        // The caller may have given up meanwhile, and releases nothing.
        if (!abort.signal.aborted)
          await new Promise((release) => done(/** @type {() => void} */ (release)));
      });
    };
    const giveUp = () => (abort.abort(), done(undefined));
    withTimeout(request(), timeout).then(giveUp, giveUp);
  });
}

/** The key of a new visitor, in storage. */
const FIRST_KEY = "passerby-first";

/**
 * Names a visitor who has no session yet, until they have one. In storage and not in a cookie,
 * which a sub-domain could plant.
 * @param {Headers} headers @param {string} name @param {string} prefix
 */
export function setFirstKey(headers, name, prefix) {
  const { localStorage } = handlers.window;
  try {
    let key = localStorage.getItemSync(FIRST_KEY);
    if (!key)
      localStorage.setItemSync(
        FIRST_KEY,
        (key = crypto.getRandomValues(new Uint8Array(16)).join("-")),
      );
    setHeader(headers, name, prefix + key, false);
  } catch {
    // Storage is full or denied: a server that is asked twice makes two sessions, and the last one
    // stays.
  }
}

export function forgetFirstKey() {
  try {
    handlers.window.localStorage.removeItemSync(FIRST_KEY);
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
let snapshotSource;
let snapshot = {};

/**
 * A cookie that a script of another tab wrote may come later than its message and its lock: the
 * browser's processes hear of cookies in their own time. The store of cookies answers after that.
 * `false` where there is none.
 */
async function cookiesCaughtUp() {
  try {
    await (customCookies ? synchronise() : cookieStore.get(FIRST_KEY));
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
  for (const listener of [...listeners]) if (listeners.has(listener)) reportingErrors(listener);
}

function lookAndNotify() {
  lookAgain();
  notify();
}

/** This tab. */
const TAB = Math.random().toString(36).slice(2);

/**
 * Stored state is the truth; a message is only a hint to look again, and what events the others
 * had.
 */
export function openChannel() {
  try {
    channel ??= new BroadcastChannel("passerby");
    // Node's would keep a test runner from ending.
    /** @type {any} */ (channel).unref?.();
    channel.onmessage = async ({ data }) => {
      // `setCookie` of the other tab read back what it wrote, which sends it on its way before the
      // message.
      if (!(await cookiesCaughtUp())) await new Promise((done) => setTimeout(done, 50));
      lookAndNotify();
      if (data && initOptions.eventsOfOtherTabs)
        reportingErrors(() => initOptions.onHandleEvent?.(data));
      setTimeout(lookAndNotify, 250);
    };
  } catch {
    // Not available: other tabs see the change at their next request.
  }
  addEventListener("pageshow", onPageShown);
  addEventListener("visibilitychange", onPageShown);
}

/**
 * A page that was kept for "back", or a tab that was not looked at, missed what happened.
 * @param {Event} event
 */
function onPageShown(event) {
  if (/** @type {PageTransitionEvent} */ (event).persisted ?? !document.hidden)
    void cookiesCaughtUp().then(lookAndNotify);
}

export function announceChange() {
  notify();
  channel?.postMessage(0);
}

export function closeChannel() {
  if (isRestarting) return;
  channel?.close();
  channel = undefined;
  listeners.clear();
  // Node has no such function, and may dispose of what was never started.
  const { removeEventListener: stop } = globalThis;
  stop?.("pageshow", onPageShown);
  stop?.("visibilitychange", onPageShown);
}

/** @param {{ action: string, userContext: unknown, [detail: string]: unknown }} event */
export function fireEvent(event) {
  debug(`event ${event.action}`);
  if (initOptions.eventsOfOtherTabs) {
    event = { ...event, tab: TAB };
    // An app's own claims may hold what cannot be sent.
    reportingErrors(() => channel?.postMessage({ ...event, userContext: {} }));
  }
  onceWritten(() => reportingErrors(() => initOptions.onHandleEvent?.(event)));
}

/**
 * The same object until something changes.
 * @param {string} state
 * @param {FrontToken | undefined} token
 */
export function takeSnapshot(state, token) {
  if (snapshotSource?.state !== state || snapshotSource.token !== token) {
    snapshotSource = { state, token };
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
