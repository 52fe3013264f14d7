// What belongs to a task and only JavaScript can hold, and what the session machine wants done with it. Nothing is decided here. Numbers in
// place of names are those of the enumerations in `protocol/src/machine/action.rs`, from 0.

import { onceWritten, serverNow, setClock, synchronise } from "./handlers.js";
import {
  answered,
  anonymousCookie,
  checkClaims,
  checkSignOut,
  copyHeaders,
  currentCaller,
  decode,
  emit,
  forgetFirstKey,
  getCookie,
  hooked,
  isFromUs,
  lock,
  makeError,
  makePost,
  message,
  now,
  refreshUrl,
  send,
  setCookie,
  setFirstKey,
  setHeader,
  site,
  takeSnapshotOf,
  within,
} from "./host.js";
import * as names from "./names.js";

/** @typedef {import("./host.js").FrontToken} FrontToken */
/** @typedef {import("./host.js").Answer & { ok: boolean }} Answer */
/**
 * @typedef {{
 *   caller: unknown, // the `userContext` on whose behalf it is
 *   call?: import("./host.js").Call,
 *   response?: Answer,
 *   reason?: unknown, // what its call or hook rejected with
 *   user?: FrontToken | false, // what the response announces
 *   anonymous?: FrontToken | false,
 *   release: ((() => void) | undefined)[], // its locks
 *   timer?: number,
 *   settlers?: [(value: any) => void, (reason: unknown) => void],
 * }} Work
 */

/** By task. @type {Record<number, Work>} */
const works = {};
let latest = 0;

/** @type {(task: number, operation: number, isOnce: boolean) => void} */
let begin;
/** @type {(happened: number, task: number, number: number) => void} */
let input;

/** What Rust does. @param {typeof begin} onBegin @param {typeof input} onInput */
export function connectTasks(onBegin, onInput) {
  begin = onBegin;
  input = onInput;
}

/** What can happen, as Rust counts it. */
const [CHANGED, HOOKED, LOCKED, TIMER, ANSWERED, REJECTED, MESSAGE, WRITTEN, VERIFIED, DONE] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** A task that is no operation: a request. */
const REQUEST = -1;

const [, REFRESH, SIGN_OUT, FORGET, ENDPOINT] = [0, 1, 2, 3, 4];
const [, STORE, DELETE] = [0, 2, 1];

/** @param {number} operation @param {import("./host.js").Call} [call] @returns {Promise<any>} */
export function start(operation, call) {
  const task = ++latest;
  const work = workOf(task);
  work.call = call;
  return new Promise((...settlers) => {
    work.settlers = settlers;
    begin(task, operation, !!call?.once);
  });
}

/** Does what `fetch` does, with the visitor's session. @param {import("./host.js").Call} call */
export function run(call) {
  // A copy of our token that the caller made would go stale when the request is sent again.
  const { headers } = call;
  if (headers.get(names.HEADER_AUTHORIZATION) === bearer(0)) headers.delete(names.HEADER_AUTHORIZATION);
  return within({}, () => start(REQUEST, call));
}

/** @param {number} task */
const workOf = (task) => (works[task] ??= { caller: currentCaller(), release: [] });

/** @param {number} what @param {number} task @param {number} [number] */
const happen = (what, task, number = 0) => within(workOf(task).caller, () => input(what, task, number));

/** Storage may have changed without us. */
export const hear = () => input?.(CHANGED, 0, 0);

/**
 * @template T @param {T | Promise<T>} value @param {(value: Awaited<T>) => void} onDone @param {(reason: unknown) => void} onFailure
 */
function when(value, onDone, onFailure) {
  // Whatever was waited for, others may have written cookies meanwhile.
  Promise.resolve(value).finally(synchronise).then(/** @type {any} */ (onDone), onFailure);
}

// --- what Rust looks at --------------------------------------------------------------------------------------------

/** By their numbers. Old ones are of no use. @type {Record<number, FrontToken>} */
const tokens = {};
let newest = 0;
const KEPT = 64;

/** @type {Map<unknown, number>} */
const ids = new Map();

/** @param {unknown} id */
function idNumber(id) {
  if (!ids.has(id)) ids.set(id, ids.size);
  return /** @type {number} */ (ids.get(id));
}

/** @param {FrontToken} token */
function numberOf(token) {
  if (!(token.number && tokens[token.number])) {
    token.number = ++newest;
    tokens[newest] = token;
    delete tokens[newest - KEPT];
  }
  return token.number;
}

/** What `look` and `lookAt` saw, in the order in which Rust reads it. @type {number[]} */
const view = [];

/** @param {number} index */
export const seen = (index) => view[index] ?? 0;

/** @param {number} at @param {FrontToken | false | undefined} token */
function see(at, token) {
  view[at] = token ? numberOf(token) : token === false ? -2 : -1;
  if (!token) return;
  view[at + 1] = idNumber(token.id);
  view[at + 2] = token.anonymousId === undefined ? -1 : idNumber(token.anonymousId);
  view[at + 3] = token.iat;
  view[at + 4] = token.ate;
}

/** The latest tokens that were read, by cookie name. @type {Record<string, FrontToken | undefined>} */
const parsed = {};

/** `undefined` when there is none, `false` when it cannot be read. @param {string} name */
function storedToken(name) {
  const raw = getCookie(name);
  if (!raw) return undefined;
  if (parsed[name]?.raw !== raw) {
    const token = decode(raw);
    if (!token) return token;
    parsed[name] = token;
  }
  return parsed[name];
}

/** Looks at what is stored, and at the clocks. */
export function look() {
  const changed = getCookie(names.COOKIE_LAST_UPDATE);
  // What is not a number still says that there was a change.
  view[0] = changed === undefined ? -1 : Math.max(0, +changed || 0);
  see(1, storedToken(names.COOKIE_FRONT_TOKEN));
  see(6, storedToken(anonymousCookie()));
  // Even if it is gone since.
  const last = parsed[names.COOKIE_FRONT_TOKEN];
  view[11] = last ? idNumber(last.id) : -1;
  view[12] = last ? last.iat : NaN;
  view[13] = now();
  view[14] = serverNow() ?? now();
  const refresh = getCookie(names.COOKIE_REFRESH_TOKEN);
  view[15] = +!!(refresh && getCookie(names.COOKIE_ACCESS_TOKEN));
  view[16] = +!!refresh;
}

/** `undefined` for nothing, `false` for "removed". @param {Answer} response @param {string} name */
function announcedToken(response, name) {
  const raw = response.headers.get(name);
  return raw === names.REMOVE ? false : (raw && decode(raw)) || undefined;
}

/** @param {number} task @param {Answer} response */
function take(task, response) {
  const work = workOf(task);
  const { headers } = response;
  // A redirect may have led to a stranger, who has no say in this session.
  const isOurs = isFromUs(response);
  work.response = response;
  work.reason = undefined;
  work.user = isOurs ? announcedToken(response, names.HEADER_FRONT_TOKEN) : undefined;
  work.anonymous = isOurs ? announcedToken(response, names.HEADER_ANONYMOUS_FRONT_TOKEN) : undefined;
  const has = (/** @type {string} */ name) => isOurs && headers.get(name) !== null;
  lookAt(
    work,
    response.status,
    response.ok ?? (response.status > 199 && response.status < 300),
    has(names.HEADER_ANONYMOUS_MODE),
    has(names.HEADER_ACCESS_TOKEN) || has(names.HEADER_REFRESH_TOKEN),
  );
  happen(ANSWERED, task);
}

/** @param {Work} work @param {number} status @param {boolean} ok @param {boolean} isLimited @param {boolean} hasTokens */
function lookAt({ user, anonymous }, status, ok, isLimited, hasTokens) {
  see(17, user);
  see(22, anonymous);
  view[27] = status;
  view[28] = +ok;
  view[29] = +isLimited;
  view[30] = +hasTokens;
}

/** @param {number} a @param {number} b */
export function isSamePayload(a, b) {
  return a === b || canonical(tokens[a]) === canonical(tokens[b]);
}

/** @param {FrontToken | undefined} token */
function canonical(token) {
  if (!token) return undefined;
  const { up } = token;
  // An anonymous token is renewed now and then without being changed.
  return JSON.stringify(up.isAnonymous ? { ...up, iat: 0, exp: 0 } : up, (_, item) =>
    item && typeof item === "object" && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort()) : item,
  );
}

// --- calls ---------------------------------------------------------------------------------------------------------

/** @param {number} call */
function makeCall(call) {
  if (call === ENDPOINT) return makePost(site.endpoint);
  const path = call === SIGN_OUT ? names.SIGN_OUT_PATH : names.FORGET_PATH;
  const made = makePost(call === REFRESH ? refreshUrl : site.base + path);
  made.headers.set(names.HEADER_RID, "session");
  made.headers.set(names.HEADER_FDI_VERSION, names.FDI_VERSIONS);
  return made;
}

/** The value of `authorization`. An access token without its refresh token is one that a cookie back end merely shows. @param {number} which */
function bearer(which) {
  const refresh = getCookie(names.COOKIE_REFRESH_TOKEN);
  const token = which === 2 ? getCookie(names.COOKIE_ANONYMOUS_TOKEN) : which === 1 || !refresh ? refresh : getCookie(names.COOKIE_ACCESS_TOKEN);
  return token && `Bearer ${token}`;
}

/** Adds what the server is to know. @param {Headers} headers @param {boolean} antiCsrf @param {number} which @param {number} wish */
function decorate(headers, antiCsrf, which, wish) {
  if (antiCsrf) setHeader(headers, names.HEADER_ANTI_CSRF, getCookie(names.COOKIE_ANTI_CSRF), true);
  // Proof that the sender could set headers, which servers check as their simplest protection against forged requests.
  setHeader(headers, names.HEADER_RID, "anti-csrf", false);
  setHeader(headers, names.HEADER_AUTH_MODE, site.mode, true);
  setHeader(headers, names.HEADER_AUTHORIZATION, bearer(which), false);
  if (wish === 1) setHeader(headers, names.HEADER_ANONYMOUS_MODE, names.ANONYMOUS_OFF, true);
  if (wish === 2 || (wish === 3 && site.isOwnOrigin)) setFirstKey(headers, names.HEADER_ANONYMOUS_MODE, "");
}

/** @param {number} task @param {number} call @param {boolean} antiCsrf @param {number} which @param {number} wish */
export function prepareCall(task, call, antiCsrf, which, wish) {
  const work = workOf(task);
  const made = makeCall(call);
  if (call === REFRESH) decorate(made.headers, antiCsrf, which, wish);
  when(
    within(work.caller, () => hooked(made, call === REFRESH ? "REFRESH_SESSION" : "SIGN_OUT")),
    (prepared) => {
      work.call = prepared;
      happen(HOOKED, task, 1);
    },
    (reason) => {
      work.reason = reason;
      happen(HOOKED, task);
    },
  );
}

/**
 * @param {number} task @param {number} kind @param {boolean} antiCsrf @param {number} which @param {number} wish
 * @param {boolean} keyInAccept @param {number} timeout milliseconds
 */
export function sendCall(task, kind, antiCsrf, which, wish, keyInAccept, timeout) {
  const work = workOf(task);
  const call = (work.call ??= makeCall(kind));
  const isOwn = kind === REFRESH || kind === ENDPOINT;
  const headers = isOwn ? call.headers : copyHeaders(call);
  if (kind === ENDPOINT) setHeader(headers, names.HEADER_AUTHORIZATION, bearer(which), false);
  else if (!isOwn) decorate(headers, antiCsrf, which, wish);
  if (keyInAccept) setFirstKey(headers, names.HEADER_ACCEPT, names.FIRST_KEY_TYPE);
  const fail = (/** @type {unknown} */ reason) => {
    work.reason = reason;
    work.response = undefined;
    happen(REJECTED, task);
  };
  when(
    send(call, headers, !isOwn && site.addCredentials, timeout),
    (response) => (kind === ENDPOINT ? takeToken(task, /** @type {any} */ (response), fail) : take(task, /** @type {any} */ (response))),
    fail,
  );
}

/** @param {number} task @param {Response} response @param {(reason: unknown) => void} fail */
function takeToken(task, response, fail) {
  when(
    import("./endpoint.js").then(({ tokenOf }) => tokenOf(response)),
    (jwt) => {
      const token = decode(jwt);
      if (!token) return fail(undefined);
      const work = workOf(task);
      work.anonymous = token;
      lookAt(work, 200, true, false, false);
      happen(ANSWERED, task);
    },
    fail,
  );
}

/** @param {number} task */
export function abort(task) {
  workOf(task).call?.end?.();
}

const LOCKS = ["passerby-refresh", "passerby-first"];

/** @param {number} task @param {number} name @param {number} timeout milliseconds */
export function lockFor(task, name, timeout) {
  const work = workOf(task);
  const go = (/** @type {(() => void) | undefined} */ release) => {
    // Whoever is gone must not keep it.
    if (works[task] !== work) return release?.();
    work.release[name] = release;
    happen(LOCKED, task);
  };
  // Locks only save calls, and the rules hold without.
  when(lock(/** @type {string} */ (LOCKS[name]), timeout), go, () => go(undefined));
}

/** @param {number} task @param {number} name */
export function unlockFor(task, name) {
  const { release } = workOf(task);
  release[name]?.();
  release[name] = undefined;
}

/** @param {number} task @param {number} milliseconds */
export function startTimer(task, milliseconds) {
  workOf(task).timer = setTimeout(() => happen(TIMER, task), milliseconds);
}

/** @param {number} task */
export function stopTimer(task) {
  clearTimeout(workOf(task).timer);
}

const MESSAGES = [names.MESSAGE_TRY_REFRESH_TOKEN, names.MESSAGE_UNAUTHORISED, names.MESSAGE_TOKEN_THEFT_DETECTED];

/** @param {number} task */
export function readMessage(task) {
  const { response } = workOf(task);
  const tell = (/** @type {unknown} */ text) => happen(MESSAGE, task, MESSAGES.indexOf(/** @type {string} */ (text)));
  when(response && message(response), tell, () => tell(undefined));
}

/** @param {number} task @param {(work: Work) => unknown} act */
function doFor(task, act) {
  const work = workOf(task);
  const done = () => happen(DONE, task);
  when(
    within(work.caller, () => act(work)),
    done,
    done,
  );
}

/** @param {number} task */
export const readClaims = (task) => doFor(task, ({ response }) => response && checkClaims(response));

/** @param {number} task */
export const showAnswer = (task) =>
  doFor(task, ({ call, response }) => call && response && answered(call, /** @type {any} */ (response)));

/** @param {number} task */
export function readSignOut(task) {
  const work = workOf(task);
  when(
    work.response && checkSignOut(work.response),
    () => happen(HOOKED, task, 1),
    (reason) => {
      work.reason = reason;
      happen(HOOKED, task);
    },
  );
}

/** @param {number} task @param {boolean} isAnswer */
export function verify(task, isAnswer) {
  const { anonymous } = workOf(task);
  const raw = isAnswer ? anonymous && anonymous.raw : getCookie(anonymousCookie());
  const tell = (/** @type {boolean | undefined} */ isGood) => happen(VERIFIED, task, isGood === undefined ? -1 : +isGood);
  when(
    import("./endpoint.js").then(({ isSignedBy }) => isSignedBy(raw || "", site.keySet)),
    tell,
    () => tell(undefined),
  );
}

// --- storage -------------------------------------------------------------------------------------------------------

/** Stores the token in a response header, if it is there; an empty one deletes. @param {Answer} response @param {string} header @param {string} cookie */
function keep({ headers }, header, cookie) {
  const token = headers.get(header);
  if (token !== null) setCookie(cookie, token);
}

/** Stores a front token. `false` if the browser refused it; another one than before is of a tab that wrote in the same moment. @param {string} cookie @param {number} write @param {FrontToken | false | undefined} token */
function put(cookie, write, token) {
  if (write !== STORE || !token) return true;
  const before = getCookie(cookie);
  setCookie(cookie, token.raw);
  const after = getCookie(cookie);
  return after === token.raw || after !== before;
}

/** @param {string[]} cookies */
function forget(...cookies) {
  for (const name of cookies) if (getCookie(name) !== undefined) setCookie(name, "");
}

/**
 * In an order that is safe to interrupt: what is new first, the mark that tells others of it last.
 * @param {number} task @param {number} user @param {number} anonymous @param {boolean} dropsUnreadable @param {boolean} keepsUserTokens
 * @param {boolean} tellsTime @param {boolean} forgetsKey @param {number} mark epoch milliseconds
 */
export function store(task, user, anonymous, dropsUnreadable, keepsUserTokens, tellsTime, forgetsKey, mark) {
  const work = workOf(task);
  const { response } = work;
  if (response) {
    if (tellsTime && work.user) setClock(response, work.user);
    if (keepsUserTokens) {
      keep(response, names.HEADER_ACCESS_TOKEN, names.COOKIE_ACCESS_TOKEN);
      keep(response, names.HEADER_REFRESH_TOKEN, names.COOKIE_REFRESH_TOKEN);
    }
    if (anonymous === STORE) keep(response, names.HEADER_ANONYMOUS_TOKEN, names.COOKIE_ANONYMOUS_TOKEN);
    if (user === STORE || anonymous === STORE) keep(response, names.HEADER_ANTI_CSRF, names.COOKIE_ANTI_CSRF);
  }
  const isAnonymousKept = put(anonymousCookie(), anonymous, work.anonymous);
  const isUserKept = put(names.COOKIE_FRONT_TOKEN, user, work.user);
  if (user === DELETE) {
    // All of them, whichever mode: proxies strip empty token headers.
    forget(names.COOKIE_FRONT_TOKEN, names.COOKIE_ACCESS_TOKEN, names.COOKIE_REFRESH_TOKEN, names.COOKIE_ANTI_CSRF);
  }
  if (anonymous === DELETE) forget(names.COOKIE_ANONYMOUS_TOKEN);
  if (anonymous === DELETE || dropsUnreadable) forget(anonymousCookie());
  if (mark) setCookie(names.COOKIE_LAST_UPDATE, mark);
  if (forgetsKey) forgetFirstKey();
  happen(WRITTEN, task, +isUserKept + 2 * +isAnonymousKept);
}

// --- outcomes ------------------------------------------------------------------------------------------------------

/** @param {number} task @param {string} action @param {boolean} [sessionExpiredOrRevoked] */
export function fire(task, action, sessionExpiredOrRevoked) {
  within(workOf(task).caller, () => emit(action, sessionExpiredOrRevoked));
}

/** @param {number} task */
export function free(task) {
  delete works[task];
}

/** @param {number} task @param {boolean} ok @param {unknown} value */
export function finish(task, ok, value) {
  const settlers = works[task]?.settlers;
  delete works[task];
  onceWritten(() => settlers?.[ok ? 0 : 1](value));
}

/** @param {number} task @param {boolean} ok @param {boolean} isSpent */
export function finishWithAnswer(task, ok, isSpent) {
  if (isSpent) console.warn("The session was refreshed, but a stream cannot be sent again");
  finish(task, ok, works[task]?.response);
}

/** With what came of another task. @param {number} task @param {number} other @param {boolean} isError */
export function finishWithReason(task, other, isError) {
  const { response, reason } = workOf(other);
  const result = reason ?? response;
  // Several requests may have waited for it, and a body can be read once.
  if (!isError && result instanceof Response) {
    finish(task, true, Object.assign(result.clone(), { cause: works[task]?.response }));
  } else {
    finish(task, false, result);
  }
}

/** @param {number} task @param {number} attempts */
export function finishWithTooMany(task, attempts) {
  const { input } = workOf(task).call ?? { input: "" };
  const url = /** @type {Partial<Request>} */ (input)?.url ?? input;
  const text =
    `Received a 401 response from ${url}. Attempted to refresh the session ${attempts} times in vain ` +
    "(maxRetryAttemptsForSessionRefresh)";
  finish(task, false, makeError("TOO_MANY_RETRIES", text));
}

/** @param {number} task @param {number} token @param {number} property */
export function finishWithProperty(task, token, property) {
  const found = tokens[token];
  finish(task, true, found && [found.uid, found.anonymousId, found.up][property]);
}

/** @param {number} task @param {number} which */
export function finishWithToken(task, which) {
  finish(task, true, getCookie(which === 2 ? names.COOKIE_ANONYMOUS_TOKEN : names.COOKIE_ACCESS_TOKEN));
}

/** @param {string} state @param {number} token */
export const takeSnapshot = (state, token) => takeSnapshotOf(state, tokens[token]);
