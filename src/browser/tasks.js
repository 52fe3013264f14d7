// This file holds the part of a task that only JavaScript can hold, and does with it as the session
// machine says. Nothing is decided here. Numbers in place of names are those of `src/shell.rs` and,
// from 0, of the enumerations in `protocol/src/machine/action.rs`.

import {
  cookieText,
  customCookies,
  isRestarting,
  onceWritten,
  serverNow,
  setClock,
  setInitOptions,
  synchronise,
} from "./handlers.js";
import {
  announceChange,
  checkClaims,
  closeChannel,
  configureCookies,
  connect,
  currentUserContext,
  decode,
  findOurs,
  fireEvent,
  forgetFirstKey,
  getCookie,
  ids,
  loadRare,
  lock,
  makeError,
  makePost,
  openChannel,
  patchFetch,
  readJson,
  restoreFetch,
  runPostHook,
  runPreHook,
  send,
  setCookie,
  setFirstKey,
  setHeader,
  takeSnapshot,
  toConsole,
  urlOf,
  withTimeout,
  withUserContext,
} from "./host.js";
import * as names from "./names.js";
import { domain, isInScope, parseUrl, path, scope } from "./scope.js";
import { patchXhr, restoreXhr } from "./xhr.js";

/** @typedef {import("./host.js").FrontToken} FrontToken */
/** @typedef {import("./host.js").Answer} Answer */
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

// --- the machine ---------------------------------------------------------------------------------

/** @type {{ buffer: ArrayBufferLike }} */
let memory;
/** @type {(what: number, task: number, number: number) => number} */
let turn;
/** Where the machine looks. */
let address = 0;

/** @param {typeof memory} itsMemory @param {typeof turn} itsTurn */
export function attach(itsMemory, itsTurn) {
  memory = itsMemory;
  turn = itsTurn;
  address = turn(0, 0, 0);
}

// The kinds of things that can happen.
const NEXT = 1;
const CONFIGURE = 2;
const STATE = 3;
const REQUEST = 4;
const OPERATION = 5;
const CHANGED = 6;
const DONE = 7;
const LOCKED = 8;
const ANSWERED = 9;
const MESSAGE = 10;
const WRITTEN = 11;
const VERIFIED = 12;
const SAYS_NOTHING = 13;
const STARTED = 14;

/** @param {number[]} numbers @param {number} [at] */
function writeNumbers(numbers, at = 0) {
  // Anew, because memory that grew has another buffer.
  new Float64Array(memory.buffer, address).set(numbers, at);
}

/**
 * Tells the machine what happened, and does what it then wants.
 * @param {number} what
 * @param {number} [task]
 * @param {number} [number]
 * @param {unknown} [isSeen] whether the storage was looked at before, which will do
 */
function happen(what, task = 0, number = 0, isSeen) {
  withUserContext(works[task]?.caller ?? currentUserContext(), () => {
    if (!isSeen) writeNumbers(look());
    for (let at = turn(what, task, number); at; at = turn(NEXT, 0, 0)) {
      // A copy, because what is done now may bring the next action.
      const action = memory.buffer.slice(at, at + 24);
      const numbers = new Int32Array(action);
      const doubles = new Float64Array(action);
      const [kind, , , , , , , , ...fields] = /** @type {any} */ (new Uint8Array(action));
      const whose = /** @type {number} */ (numbers[1]);
      const work = (works[whose] ??= { caller: currentUserContext(), release: [] });
      withUserContext(work.caller, () =>
        ACTS[kind < PLAIN ? kind : PLAIN + fields[0]]?.(whose, work, fields, doubles, numbers),
      );
    }
  });
}

/** By task. @type {Record<number, Work>} */
const works = {};
let latestTask = 0;
/** Nothing before the first start, and after `dispose`. @type {boolean | undefined} */
let isStarted;

/**
 * @param {number} what
 * @param {number} number
 * @param {import("./host.js").Call} [call]
 * @returns {Promise<any>}
 */
function begin(what, number, call) {
  return new Promise((...settlers) => {
    if (!isStarted) throw fault(0);
    works[++latestTask] = { caller: currentUserContext(), release: [], settlers, call };
    happen(what, latestTask, number);
  });
}

// The operations of the app.
export const EXISTS = 0;
export const IS_ANONYMOUS = 1;
export const USER_ID = 2;
export const ANONYMOUS_ID = 3;
export const PAYLOAD = 4;
export const ACCESS_TOKEN = 5;
export const REFRESH_SESSION = 6;
export const SIGN_OUT = 7;
export const FORGET = 8;
export const SWITCH_OFF = 9;

/** Begins an operation of the app. @param {number} operation */
export const operate = (operation) => begin(OPERATION, operation);

/** Does what `fetch` does, with the visitor's session. @param {import("./host.js").Call} call */
export function run(call) {
  return withUserContext({}, () => begin(REQUEST, +!!call.once, call));
}

/** Storage may have changed without us. */
const lookAgain = () => happen(CHANGED);

/**
 * Goes on with the task once `value` is there, unless it is over.
 * @template T @param {number} task @param {T | Promise<T>} value
 * @param {(value: any, work: Work, task: number) => void} onDone
 * @param {(reason: any, work: Work, task: number) => void} [onFailure] by default, as with nothing
 */
function when(task, value, onDone, onFailure = (_, work) => onDone(undefined, work, task)) {
  const work = works[task];
  const go = (/** @type {typeof onDone} */ act) => (/** @type {any} */ result) => {
    if (work && works[task] === work) act(result, work, task);
  };
  // Others may have written cookies during any wait.
  Promise.resolve(value)
    .finally(synchronise)
    .then(go(onDone), go(onFailure))
    // Nobody goes on with it any more, and somebody may wait for it.
    .catch((error) => finish(task, false, error));
}

// --- what it looks at ----------------------------------------------------------------------------

/** The latest tokens that were read, by cookie name. @type {Record<string, FrontToken>} */
let parsed = {};

/**
 * `undefined` when there is none, `false` when it cannot be read.
 * @param {string} name
 * @param {string} [text]
 */
export function storedToken(name, text) {
  const raw = getCookie(name, text);
  if (!raw) return undefined;
  if (parsed[name]?.raw !== raw) {
    const token = decode(raw);
    if (!token) return token;
    parsed[name] = token;
  }
  return parsed[name];
}

/** @param {FrontToken | false | undefined} token */
const numbersOf = (token) => (token ? token.numbers : [token === false ? -1 : 0, 0, 0, 0, 0]);

/** At the latest look. Reading them takes long, because the browser asks another process. */
let cookies = "";

/**
 * -1 for none. A mark that is not a number still says that there was a change. After the largest
 * numbers, which only somebody else writes, there are no later ones.
 * @param {any} text
 */
const markOf = (text) => (text === undefined ? -1 : Math.max(0, text % 1e15 || 0));

/** Stored tokens and clocks, in the order in which the machine reads them. */
function look() {
  cookies = cookieText();
  const user = storedToken(names.COOKIE_FRONT_TOKEN, cookies);
  // Even if it is gone since.
  const [id = 0, iat = NaN] = parsed[names.COOKIE_FRONT_TOKEN]?.numbers ?? [];
  return [
    markOf(getCookie(names.COOKIE_LAST_UPDATE, cookies)),
    Date.now(),
    serverNow() ?? Date.now(),
    id,
    iat,
    getCookie(names.REFRESH_TOKEN, cookies) ? 1 + +!!getCookie(names.ACCESS_TOKEN, cookies) : 0,
    ...numbersOf(user),
    ...numbersOf(storedToken(anonymousCookie, cookies)),
  ];
}

/** `undefined` for nothing, `false` for "removed". @param {Answer} response @param {string} name */
export function announcedToken({ headers }, name) {
  const raw = headers.get(name);
  return raw === names.REMOVE ? false : (raw && decode(raw)) || undefined;
}

/** @param {number} task @param {Work} work @param {Answer} response */
function takeResponse(task, work, response) {
  const { redirected, url } = (work.response = response);
  // A redirect led to a stranger, whose headers decide nothing. The caller gets the answer, and the
  // rest is as if a server of ours had failed.
  const isOurs = redirected === false || !url || findOurs(url);
  const seen = isOurs ? response : new Response(null, { status: 599 });
  const has = (/** @type {string} */ name) => +(seen.headers.get(name) !== null);
  work.user = announcedToken(seen, names.HEADER_FRONT_TOKEN);
  work.anonymous = announcedToken(seen, names.HEADER_ANONYMOUS_FRONT_TOKEN);
  const tokens = has(names.ACCESS_TOKEN) || has(names.REFRESH_TOKEN);
  const more = has(names.HEADER_ANONYMOUS_MODE) + 2 * tokens;
  const { status } = seen;
  const saysNothing = status < 300 && (work.user ?? work.anonymous) === undefined && !more;
  reportAnswer(task, work, status, more, saysNothing && turn(SAYS_NOTHING, 0, 0));
}

/**
 * @param {number} task
 * @param {Work} work
 * @param {number} status
 * @param {number} more
 * @param {unknown} [isSeen]
 */
function reportAnswer(task, { user, anonymous }, status, more, isSeen) {
  writeNumbers([...numbersOf(user), ...numbersOf(anonymous), status, more], 16);
  happen(ANSWERED, task, 0, isSeen);
}

// --- the configuration ---------------------------------------------------------------------------

/** Of the session routes. */
let routesUrl = "";
/** How new sessions travel. */
let transferMode = "";
let addCredentials = true;
/** @type {string | undefined} */
let endpoint;
let keySet = "";
let isOwnOrigin = false;

/**
 * The one that shows the anonymous session. The token of an endpoint is readable, so that nothing
 * else need be kept.
 */
let anonymousCookie = "";

/** @param {number} number */
export const fault = (number) =>
  makeError(.../** @type {[string, string]} */ (names.FAULTS[number]));

/**
 * Starts the SDK with the options of `init`. Returns the number of what is wrong with them, -1
 * where it was started before, or nothing.
 * @param {any} options
 */
export function start(options) {
  const {
    apiDomain,
    apiBasePath,
    sessionTokenFrontendDomain,
    sessionTokenBackendDomain,
    anonymous,
  } = options;
  const statuses = [options.sessionExpiredStatusCode ?? 401, options.invalidClaimStatusCode ?? 403];
  const limit = options.maxRetryAttemptsForSessionRefresh ?? 10;
  /** @template T @param {any} value @param {(text: string) => T} rule */
  const text = (value, rule) => (typeof value === "string" ? rule(value) : undefined);
  if (isStarted) return -1;
  if (!statuses.every((status) => status >= 0) || statuses[0] === statuses[1]) return 4;
  if (!(limit >= 0)) return 5;
  const api = text(apiDomain, domain);
  if (!api) return 1;
  const below = text(apiBasePath, path);
  if (below === undefined) return 2;
  const [frontend, backend] = [sessionTokenFrontendDomain, sessionTokenBackendDomain].map((given) =>
    text(given, (host) => scope(host) ?? 3),
  );
  if (frontend === 3 || backend === 3) return 3;

  setInitOptions(options);
  routesUrl = api.origin + below;
  transferMode = options.tokenTransferMethod === "header" ? "header" : "cookie";
  addCredentials = options.autoAddCredentials ?? true;
  ({ endpoint, jwks: keySet } = anonymous ?? {});
  isOwnOrigin = api.origin === parseUrl("")?.origin;
  anonymousCookie = endpoint ? names.ANONYMOUS_TOKEN : names.COOKIE_ANONYMOUS_FRONT_TOKEN;
  configureCookies(frontend, options.isInIframe);
  connect((url) => isInScope(url, api.hostname, backend), run, lookAgain);
  // As JavaScript, the module does not clamp what is too large.
  writeNumbers([...statuses, Math.min(limit, 1e9)], 25);
  const wish = !anonymous ? 0 : anonymous.enabled === false ? 3 : endpoint ? 2 : 1;
  turn(CONFIGURE, +(isStarted === false), wish + 4 * +!!endpoint + 8 * +!!keySet);
  isStarted = true;
  // Else there is nothing to do yet, and to look takes time: the page waits for `init`.
  if (wish === 3) happen(STARTED);
  patchFetch(routesUrl + names.REFRESH_PATH);
  patchXhr(statuses[0]);
  openChannel();
  return undefined;
}

/** Takes everything back. Requests under way go on. */
export function dispose() {
  restoreFetch();
  restoreXhr();
  closeChannel();
  isStarted = false;
  if (!isRestarting) {
    // Should it start again, that is as in another page: no session is one of before.
    isStarted = undefined;
    parsed = {};
    ids.fill(0);
  }
  // Requests that wait for the module must not be taken for ours when it comes.
  connect(() => false, run);
}

// --- calls ---------------------------------------------------------------------------------------

const REFRESH = 1;
const ENDPOINT = 4;

/** Milliseconds until a refusal counts as one that says nothing, because its body never ends. */
const BODY_TIMEOUT = 5000;

/** @param {number} call */
function makeCall(call) {
  if (call === ENDPOINT) return makePost(/** @type {string} */ (endpoint));
  const made = makePost(
    routesUrl + ["", names.REFRESH_PATH, names.SIGN_OUT_PATH, names.FORGET_PATH][call],
  );
  made.headers.set(names.HEADER_RID, "session");
  made.headers.set(names.HEADER_FDI_VERSION, names.FDI_VERSIONS);
  return made;
}

/**
 * The value of `authorization`. An access token without its refresh token is one that a cookie back
 * end merely shows.
 * @param {number} which
 */
function bearer(which) {
  const refresh = getCookie(names.REFRESH_TOKEN, cookies);
  const token =
    which > 1
      ? getCookie(names.ANONYMOUS_TOKEN, cookies)
      : which || !refresh
        ? which && refresh
        : getCookie(names.ACCESS_TOKEN, cookies);
  return token ? `Bearer ${token}` : undefined;
}

/**
 * Adds what the server is to know.
 * @param {Headers} headers
 * @param {number} antiCsrf
 * @param {number} which
 * @param {number} wish
 */
function decorate(headers, antiCsrf, which, wish) {
  if (antiCsrf)
    setHeader(headers, names.HEADER_ANTI_CSRF, getCookie(names.COOKIE_ANTI_CSRF, cookies), true);
  // Proof that the sender could set headers, which servers check as their simplest protection
  // against forged requests.
  setHeader(headers, names.HEADER_RID, "anti-csrf");
  setHeader(headers, names.HEADER_AUTH_MODE, transferMode, true);
  setHeader(headers, names.HEADER_AUTHORIZATION, bearer(which));
  if (wish === 1) setHeader(headers, names.HEADER_ANONYMOUS_MODE, names.ANONYMOUS_OFF, true);
  if (wish === 2 || (wish === 3 && isOwnOrigin))
    setFirstKey(headers, names.HEADER_ANONYMOUS_MODE, "");
}

/** @param {string} cookie @param {Headers} headers @param {string} [header] an empty one deletes */
function keepToken(cookie, headers, header = cookie) {
  const token = headers.get(header);
  if (token !== null) setCookie(cookie, token);
}

/**
 * Stores a front token. The function that it returns reads it back: `false` if it was refused.
 * A later mark is of a tab that wrote in the same moment, too.
 * @param {string} cookie @param {FrontToken | false | undefined} token
 * @param {number} mark
 */
function putFrontToken(cookie, token, mark) {
  if (!token) return () => true;
  const isThere = setCookie(cookie, token.raw);
  return () => {
    const isKept = isThere() || markOf(getCookie(names.COOKIE_LAST_UPDATE)) > mark;
    // The browser's own was read back when it was written.
    if (customCookies && !isKept) toConsole("refused", cookie);
    return isKept;
  };
}

/** @param {string[]} cookies */
function deleteCookies(...cookies) {
  for (const name of cookies) if (getCookie(name) !== undefined) setCookie(name, "");
}

/** @type {typeof ACTS[0]} */
function unlock(_task, { release }, [what]) {
  release[what - 1]?.();
  release[what - 1] = undefined;
}

/** @type {typeof ACTS[0]} */
function verify(task, { anonymous }, [what]) {
  const raw = what > 5 ? anonymous && anonymous.raw : getCookie(anonymousCookie);
  when(
    task,
    import("./endpoint.js").then(({ isSignedBy }) => isSignedBy(raw || "", keySet)),
    (isGood) => happen(VERIFIED, task, isGood === undefined ? -1 : +isGood),
  );
}

/** The first of the actions that need no more than a task. Their first field says which it is. */
const PLAIN = 7;

/**
 * One function for each action of the machine, in their order. Fields of one byte begin at the
 * ninth; larger ones are where the layout has them.
 * @type {((
 *   task: number,
 *   work: Work,
 *   fields: [number, number, number, number, number, number],
 *   doubles: any, // a Float64Array
 *   numbers: any, // an Int32Array
 * ) => void)[]}
 */
const ACTS = [
  function prepare(task, work, [call, antiCsrf, which, wish]) {
    const made = makeCall(call);
    if (call === REFRESH) decorate(made.headers, antiCsrf, which, wish);
    when(
      task,
      runPreHook(made, call === REFRESH ? "REFRESH_SESSION" : "SIGN_OUT"),
      (prepared) => {
        work.call = prepared;
        happen(DONE, task, 1);
      },
      reportFailure,
    );
  },
  function sendCall(task, work, [kind, antiCsrf, which, wish, isNamed], doubles) {
    const call = (work.call ??= makeCall(kind));
    const isBare = kind === REFRESH || kind === ENDPOINT;
    // A copy of our token that the caller made would go stale when the request is sent again.
    if (!isBare && call.headers.get(names.HEADER_AUTHORIZATION) === bearer(0))
      call.headers.delete(names.HEADER_AUTHORIZATION);
    const headers = new Headers(call.headers);
    if (kind === ENDPOINT) setHeader(headers, names.HEADER_AUTHORIZATION, bearer(which));
    else if (!isBare) decorate(headers, antiCsrf, which, wish);
    if (isNamed)
      if (isBare) setFirstKey(headers, names.HEADER_ACCEPT, names.NAMED_TYPE);
      else
        setHeader(
          headers,
          names.HEADER_ACCEPT,
          names.NAMED_TYPE + parsed[names.COOKIE_FRONT_TOKEN]?.id,
          true,
        );
    // The answer that it replaces holds a connection until somebody has read it. Perhaps it was
    // read, or is no stream.
    if (work.response)
      (async () => /** @type {any} */ (work.response).body.cancel())().catch(() => {});
    work.response = work.reason = undefined;
    const sent = send(call, headers, !isBare && addCredentials, doubles[2]);
    if (kind !== ENDPOINT)
      return when(task, sent, (response) => takeResponse(task, work, response), reportFailure);
    when(
      task,
      sent.then(async (response) =>
        decode(await (await import("./endpoint.js")).tokenOf(/** @type {Response} */ (response))),
      ),
      (token) => {
        work.anonymous = token || undefined;
        reportAnswer(task, work, 200, 0);
      },
      reportFailure,
    );
  },
  function lockFor(task, work, [name], doubles) {
    // Locks only save calls, and the rules hold without.
    lock(name ? "passerby-first" : "passerby-refresh", doubles[2]).then((release) => {
      work.release[name] = release;
      if (works[task] !== work) return release?.();
      when(task, 0, () => happen(LOCKED, task));
    });
  },
  function startTimer(task, work, _fields, doubles) {
    work.timer = setTimeout(() => happen(LOCKED, task), doubles[1]);
  },
  function store(
    task,
    work,
    [user, anonymous, dropsUnreadable, keepsUserTokens, tellsTime],
    doubles,
  ) {
    // In an order that is safe to interrupt: what is new first, the mark that tells others of it
    // last.
    const { response } = work;
    const isRemoved = 1;
    const isStored = 2;
    if (response) {
      const { headers } = response;
      if (tellsTime && work.user) setClock(response, work.user);
      if (keepsUserTokens) {
        keepToken(names.ACCESS_TOKEN, headers);
        keepToken(names.REFRESH_TOKEN, headers);
      }
      if (anonymous === isStored) keepToken(names.ANONYMOUS_TOKEN, headers);
      if (user === isStored) keepToken(names.COOKIE_ANTI_CSRF, headers, names.HEADER_ANTI_CSRF);
    }
    const mark = /** @type {number} */ (doubles[2]);
    const isAnonymousKept = putFrontToken(
      anonymousCookie,
      anonymous === isStored && work.anonymous,
      mark,
    );
    const isUserKept = putFrontToken(
      names.COOKIE_FRONT_TOKEN,
      user === isStored && work.user,
      mark,
    );
    // All of them, whichever mode: proxies strip empty token headers.
    if (user === isRemoved)
      deleteCookies(
        names.COOKIE_FRONT_TOKEN,
        names.ACCESS_TOKEN,
        names.REFRESH_TOKEN,
        names.COOKIE_ANTI_CSRF,
      );
    if (anonymous === isRemoved) deleteCookies(names.ANONYMOUS_TOKEN);
    if (anonymous === isRemoved || dropsUnreadable) deleteCookies(anonymousCookie);
    if (mark) setCookie(names.COOKIE_LAST_UPDATE, mark);
    const written = () => happen(WRITTEN, task, 2 * +!isUserKept() + +!isAnonymousKept());
    // Only an app's own handler knows what it kept.
    if (customCookies) when(task, 0, written);
    else written();
  },
  function fire(_task, { caller }, [event, detail]) {
    const more = event === names.EVENTS.length - 1 && { sessionExpiredOrRevoked: !!detail };
    fireEvent({
      action: /** @type {string} */ (names.EVENTS[event]),
      userContext: caller,
      ...more,
    });
  },
  settle,
  // From here on, those that need no more than a task: `PLAIN`.
  (_task, { call }) => call?.end?.(),
  unlock,
  unlock,
  (_task, { timer }) => clearTimeout(timer),
  function readMessage(task, { response }) {
    // It may never end.
    when(task, response && withTimeout(readJson(response), BODY_TIMEOUT), (json) =>
      happen(MESSAGE, task, 1 + names.MESSAGES.indexOf(json?.message)),
    );
  },
  verify,
  verify,
  (task, { response }) =>
    when(task, response && checkClaims(response), () => happen(DONE, task, 1)),
  (task, { call, response }) =>
    when(task, call && runPostHook(call, /** @type {Response} */ (response)), () =>
      happen(DONE, task, 1),
    ),
  function readSignOut(task, { response }) {
    // An empty body is fine.
    const read = async () => {
      const { status, message } = (response && (await readJson(response))) ?? {};
      if (status === "GENERAL_ERROR") throw (await loadRare()).refusal(status, message);
    };
    when(task, read(), () => happen(DONE, task, 1), reportFailure);
  },
  (task) => delete works[task],
  forgetFirstKey,
  announceChange,
];

/** @param {unknown} reason @param {Work} work @param {number} task */
function reportFailure(reason, work, task) {
  work.reason = reason;
  happen(DONE, task);
}

// --- outcomes ------------------------------------------------------------------------------------

/** @param {number} task @param {boolean} ok @param {unknown} value */
function finish(task, ok, value) {
  const settlers = works[task]?.settlers;
  delete works[task];
  onceWritten(() => settlers?.[ok ? 0 : 1](value));
}

/** Tells the caller. @type {typeof ACTS[0]} */
function settle(
  task,
  { response, reason, call },
  [outcome, detail, users, , kind, failure],
  _doubles,
  numbers,
) {
  const done = (/** @type {unknown} */ value) => finish(task, true, value);
  const failed = (/** @type {unknown} */ error) => finish(task, false, error);
  /** @param {(its: Awaited<ReturnType<typeof loadRare>>) => Error} make */
  const failedLater = (make) => loadRare().then(make).then(failed, failed);
  /** @param {number} number of a failure */
  const broken = (number) =>
    number > 1 ? failedLater((its) => its.fault(number)) : failed(fault(6 + number));
  /** A refresh's answer in place of the API's, or as an error. @param {boolean} isError */
  const refreshed = (isError) => {
    if (kind === 2) return broken(failure);
    if (!kind) return done(response);
    const other = works[numbers[4]];
    const result = other?.reason ?? other?.response;
    // Several requests may have waited for it, and a body can be read once.
    if (!isError && result instanceof Response)
      return done(Object.assign(result.clone(), { cause: response }));
    failed(result);
  };
  [
    () => done(response),
    () => {
      toConsole("spent");
      done(response);
    },
    () => failed(response),
    () => failed(reason),
    () => refreshed(false),
    () => refreshed(true),
    () => failedLater((its) => its.tooMany(call && urlOf(call), numbers[3])),
    () => broken(detail),
    () => done(undefined),
    () => done(!!detail),
    () => {
      const token = storedToken(users ? names.COOKIE_FRONT_TOKEN : anonymousCookie, cookies);
      done(token && [token.uid, token.anonymousId, token.up][detail]);
    },
    () => done(getCookie(detail > 1 ? names.ANONYMOUS_TOKEN : names.ACCESS_TOKEN)),
  ][outcome]?.();
}

/** 0 to 3, in the order of `SNAPSHOTS`. */
function stateNow() {
  writeNumbers(look());
  return turn(STATE, 0, 0);
}

const SNAPSHOTS = ["unknown", "none", "anonymous", "authenticated"];

/** The front token of the session. @param {number} state */
function sessionToken(state) {
  return (
    (state > 1 && storedToken(state > 2 ? names.COOKIE_FRONT_TOKEN : anonymousCookie)) || undefined
  );
}

/**
 * The session as this browser knows it now, without asking anybody; the same object until something
 * changes.
 */
export function getSnapshot() {
  // Before `start` nothing is known, whatever the cookies say.
  const state = isStarted ? stateNow() : 0;
  return takeSnapshot(/** @type {string} */ (SNAPSHOTS[state]), sessionToken(state));
}
