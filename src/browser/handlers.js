// Parts that an app may put in the place of the browser's own: cookies, window, clock and locks.

/**
 * @typedef {{
 *   getCookie(): Promise<string>,
 *   setCookie(text: string): Promise<void>,
 * }} CookieHandler
 */
/**
 * @typedef {{
 *   key(index: number): Promise<string | null>,
 *   keySync(index: number): string | null,
 *   getItem(key: string): Promise<string | null>,
 *   getItemSync(key: string): string | null,
 *   clear(): Promise<void>,
 *   clearSync(): void,
 *   removeItem(key: string): Promise<void>,
 *   removeItemSync(key: string): void,
 *   setItem(key: string, value: string): Promise<void>,
 *   setItemSync(key: string, value: string): void,
 * }} StorageHandler
 */
/**
 * @typedef {{
 *   history: {
 *     replaceState(data: any, unused: string, url?: string | null): void,
 *     getState(): any,
 *   },
 *   location: {
 *     getHref(): string,
 *     setHref(href: string): void,
 *     getSearch(): string,
 *     getHash(): string,
 *     getPathName(): string,
 *     assign(url: string | URL): void,
 *     getOrigin(): string,
 *     getHostName(): string,
 *     getHost(): string,
 *   },
 *   getDocument(): Document,
 *   localStorage: StorageHandler,
 *   sessionStorage: StorageHandler,
 *   getWindowUnsafe(): typeof window,
 * }} WindowHandler
 */
/**
 * Times are in milliseconds where the name does not say seconds.
 * @typedef {{
 *   now(): number,
 *   getThresholdInSeconds(): number,
 *   setThresholdInSeconds(seconds: number): void,
 *   getClientClockSkewInMillis(): number,
 *   setClientClockSkewInMillis(skew: number): void,
 * }} DateProvider
 */
/**
 * @typedef {{
 *   acquireLock(key: string, timeout?: number): Promise<boolean>,
 *   releaseLock(key: string): Promise<void> | void,
 * }} Lock
 */

/**
 * The hook that is asked before and after a call of a session route.
 * @typedef {{
 *   action: "REFRESH_SESSION" | "SIGN_OUT",
 *   url: string,
 *   requestInit: RequestInit,
 *   userContext: any,
 * }} HookContext
 */
/**
 * The options of `init` that Rust has no use for. Of `recipe`, only what the app replaced.
 * @typedef {{
 *   preAPIHook?: (context: HookContext) => Promise<{ url: string, requestInit: RequestInit }>,
 *   postAPIHook?: (context: HookContext & { fetchResponse: Response }) => Promise<void>,
 *   interception?: "none",
 *   enableDebugLogs?: boolean,
 *   eventsOfOtherTabs?: boolean,
 *   onHandleEvent?: (event: any) => void,
 *   recipe?: {
 *     addFetchInterceptorsAndReturnModifiedFetch?: (input: {
 *       originalFetch: any,
 *       userContext: any,
 *     }) => typeof fetch,
 *     addXMLHttpRequestInterceptor?: (input: { userContext: any }) => void,
 *     calculateClockSkewInMillis?: (input: {
 *       accessTokenPayload: any,
 *       responseHeaders: Headers,
 *     }) => number,
 *     shouldDoInterceptionBasedOnUrl?: (url: string) => boolean,
 *     getInvalidClaimsFromResponse?: (input: { response: any, userContext: any }) => Promise<any>,
 *   },
 * }} InitOptions
 */

/** @type {InitOptions} */
export let initOptions = {};

/** @param {InitOptions} options */
export function setInitOptions(options) {
  initOptions = options;
}

/** While `init` is called once more: what it did to the page stays. */
export let isRestarting = false;

/** @param {() => void} act */
export function whileRestarting(act) {
  isRestarting = true;
  act();
  isRestarting = false;
}

/**
 * An error of the app's handlers must not fail the app's requests.
 * @template T @param {() => T} callback @param {T} [instead] @returns {T | undefined}
 */
export function reportingErrors(callback, instead) {
  try {
    return callback();
  } catch (error) {
    console.error(error);
    return instead;
  }
}

const SKEW_KEY = "__st_clockSkewInMillis";

/** Skews below this many milliseconds are the network's. */
const LEAST_SKEW = 7000;

/** @param {"localStorage" | "sessionStorage"} area @returns {StorageHandler} */
function storage(area) {
  /** @type {any} */
  const handler = {};
  for (const name of ["key", "getItem", "clear", "removeItem", "setItem"]) {
    const sync = (/** @type {unknown[]} */ ...args) =>
      /** @type {any} */ (window)[area][name](...args);
    handler[`${name}Sync`] = sync;
    handler[name] = async (/** @type {unknown[]} */ ...args) => sync(...args);
  }
  return handler;
}

const assign = (/** @type {string | URL} */ url) => location.assign(url);

let skew = NaN;
let threshold = 7;

/**
 * The handlers in force.
 * @type {{
 *   cookies: CookieHandler,
 *   window: WindowHandler,
 *   date: DateProvider,
 *   lock?: () => Promise<Lock> | Lock,
 * }}
 */
export const handlers = {
  cookies: {
    getCookie: async () => document.cookie,
    setCookie: async (text) => {
      document.cookie = text;
    },
  },
  window: {
    history: {
      replaceState: (...args) => history.replaceState(...args),
      getState: () => history.state,
    },
    location: /** @type {WindowHandler["location"]} */ (
      Object.assign(
        {
          setHref: assign,
          assign,
        },
        ...["Href", "Search", "Hash", "PathName", "Origin", "HostName", "Host"].map((name) => ({
          [`get${name}`]: () => /** @type {any} */ (location)[name.toLowerCase()],
        })),
      )
    ),
    getDocument: () => document,
    localStorage: storage("localStorage"),
    sessionStorage: storage("sessionStorage"),
    getWindowUnsafe: () => window,
  },
  date: {
    now: () => Date.now() + handlers.date.getClientClockSkewInMillis(),
    getThresholdInSeconds: () => threshold,
    setThresholdInSeconds: (seconds) => {
      threshold = seconds;
    },
    getClientClockSkewInMillis() {
      if (isNaN(skew)) {
        skew = 0;
        try {
          skew = Number(handlers.window.localStorage.getItemSync(SKEW_KEY)) || 0;
        } catch {
          // Storage is denied, or there is no window.
        }
      }
      return skew;
    },
    setClientClockSkewInMillis(value) {
      const kept = Math.abs(value) >= LEAST_SKEW ? value : 0;
      if (kept === handlers.date.getClientClockSkewInMillis()) return;
      skew = kept;
      try {
        handlers.window.localStorage.setItemSync(SKEW_KEY, `${kept}`);
      } catch {
        // Storage is full or denied: the value holds for this page.
      }
    },
  },
};

/** The app's own, if it has one. @type {CookieHandler | undefined} */
export let customCookies;
/**
 * The module that deals with that, once it was asked.
 * @type {typeof import("./jar.js") | undefined}
 */
let jar;

/** Which were decided on. @type {{ [name in keyof typeof handlers]?: true }} */
export const installed = {};

/**
 * Decides on a handler, for good: the first to come wins.
 * @param {keyof typeof handlers} name
 * @param {any} [input]
 */
export function install(name, input) {
  if (installed[name]) return;
  installed[name] = true;
  if (!input) return;
  handlers[name] = name === "lock" ? input : input(handlers[name]);
  if (name === "cookies") customCookies = handlers.cookies;
}

/**
 * Reads the app's cookies anew; rejects with what its handler throws. Nothing to do for the
 * browser's own.
 */
export const synchronise = () =>
  customCookies &&
  import("./jar.js").then((its) => (jar = its).read(/** @type {CookieHandler} */ (customCookies)));

/** Empty where the browser lets nobody look, as in a sandboxed frame. */
export function cookieText() {
  try {
    return customCookies ? (jar?.copy ?? "") : document.cookie;
  } catch {
    return "";
  }
}

/** @param {string} name @param {string | number} value @param {string} attributes */
export function writeCookie(name, value, attributes) {
  const text = `${name}=${value};${attributes}`;
  if (customCookies) return jar?.write(customCookies, name, value, text);
  try {
    document.cookie = text;
  } catch {
    // As one that is refused: whoever reads it back misses it.
  }
}

/**
 * Calls back once everything is written, at once where the browser does it.
 * @param {() => void} callback
 */
export const onceWritten = (callback) => (jar ? jar.settled(callback) : callback());

/** The server's time, in epoch milliseconds. */
export const serverNow = () => reportingErrors(() => handlers.date.now(), Date.now());

/** @param {{ accessTokenPayload: any }} input @returns {number} milliseconds */
export const clockSkew = ({ accessTokenPayload: { iat } }) =>
  typeof iat === "number" ? iat * 1000 - Date.now() : 0;

/**
 * A front token comes with a token that was just made, so its `iat` (seconds) is the server's time.
 * @param {{ headers: Headers }} response @param {{ up: any }} token
 */
export function setClock({ headers }, { up }) {
  const calculate = initOptions.recipe?.calculateClockSkewInMillis ?? clockSkew;
  reportingErrors(() =>
    handlers.date.setClientClockSkewInMillis(
      calculate({ accessTokenPayload: up, responseHeaders: headers }),
    ),
  );
}
