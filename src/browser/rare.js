// Code that few visitors need, loaded when one does: the app's hooks, refusals for claims, a
// refused refresh by XMLHttpRequest, and texts.

/**
 * Milliseconds until an answer that never ends is handed over before it is known what it refuses.
 */
const BODY_TIMEOUT = 1000;

/** The members that `fetch` reads of its second argument, but for the headers. */
const MEMBERS = (
  "method,body,mode,credentials,cache,redirect,referrer,referrerPolicy,integrity,keepalive," +
  "signal,duplex,priority"
).split(",");

/** Codes and texts of faults, after those of `names.js`. @type {[string, string][]} */
const FAULTS = [
  [
    "FRONT_TOKEN_MISSING",
    "The 'front-token' header is missing from a successful refresh-session response: see " +
      "what diagnose() finds",
  ],
  ["NOT_FORGOTTEN", "The server did not forget the anonymousId"],
];

/** Milliseconds until a hook of the app that hangs is no longer waited for. */
const HOOK_TIMEOUT = 20000;

/**
 * With what it needs of the other modules.
 * @param {import("./handlers.js").InitOptions} initOptions
 * @param {(input: string, init: RequestInit) => import("./host.js").Call} prepare
 * @param {(value: unknown, milliseconds: number) => Promise<any>} withTimeout
 * @param {(response: Pick<Response, "clone">) => Promise<any>} readJson
 * @param {(code: string, text: string) => Error} makeError
 * @param {(event: { action: string, userContext: unknown, [detail: string]: unknown }) => void}
 *   fireEvent
 */
export const make = (initOptions, prepare, withTimeout, readJson, makeError, fireEvent) => ({
  /** @param {import("./host.js").Call} call @param {import("./host.js").Hook} hook */
  async preHook({ input, init, headers }, hook) {
    // Hooks that were written for the peers spread the one and call methods of the other.
    const shown = hook.action === "SIGN_OUT" ? Object.fromEntries(headers) : headers;
    const context = { ...hook, url: `${input}`, requestInit: { ...init, headers: shown } };
    /** @type {{ url: string, requestInit: RequestInit } | undefined | void} */
    let made = context;
    if (initOptions.preAPIHook) {
      made = await withTimeout(initOptions.preAPIHook(context), HOOK_TIMEOUT);
      if (!made?.url)
        throw makeError(
          "BAD_HOOK",
          `preAPIHook did not return { url, requestInit } for ${hook.action}`,
        );
    }
    return { ...prepare(made.url, made.requestInit), hook };
  },

  /** @param {import("./host.js").Call} call @param {Response} response */
  async postHook({ input, init, headers, hook }, response) {
    if (!initOptions.postAPIHook || !hook) return;
    const context = {
      ...hook,
      url: `${input}`,
      requestInit: { ...init, headers },
      fetchResponse: response.clone(),
    };
    try {
      await withTimeout(initOptions.postAPIHook(context), HOOK_TIMEOUT);
    } catch (error) {
      // The hook is too late to change anything.
      console.error(error);
    }
  },

  /**
   * A copy of an object that is not plain: members that it inherits or computes count as well.
   * @param {any} init
   * @returns {RequestInit}
   */
  members: (init) =>
    Object.fromEntries(
      MEMBERS.filter((name) => init[name] !== undefined).map((name) => [name, init[name]]),
    ),

  /** @param {import("./host.js").Answer} response @param {unknown} userContext */
  checkClaims(response, userContext) {
    const check = async () => {
      const read = initOptions.recipe?.getInvalidClaimsFromResponse;
      const claimValidationErrors = read
        ? await read({ response, userContext })
        : (await readJson(response))?.claimValidationErrors;
      if (claimValidationErrors)
        fireEvent({ action: "API_INVALID_CLAIM", claimValidationErrors, userContext });
    };
    return withTimeout(check(), BODY_TIMEOUT);
  },

  /**
   * The refresh endpoint's answer, to be given in place of the API's.
   * @param {any} response
   * @param {string} type
   */
  async read(response, type) {
    const { headers, status, statusText, url, cause } = response;
    const responseText = await response.clone().text();
    let body = null;
    try {
      body = await response[type === "arraybuffer" ? "arrayBuffer" : type || "text"]();
    } catch {
      // Neither JSON nor a document.
    }
    return {
      headers,
      lines: [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join(""),
      status,
      statusText,
      responseURL: url,
      responseText,
      responseXML: null,
      response: body,
      cause,
    };
  },

  /**
   * The error of a back end that refuses a sign-out.
   * @param {string} code
   * @param {string | undefined} message
   */
  refusal: (code, message) =>
    Object.assign(makeError(code, message ?? "No Error Message Provided"), {
      isSuperTokensGeneralError: true,
    }),

  /** @param {number} number of a failure; the first two are in `names.js` */
  fault: (number) => makeError(.../** @type {[string, string]} */ (FAULTS[number - 2])),

  /** @param {string | undefined} url @param {number | undefined} attempts */
  tooMany: (url, attempts) =>
    makeError(
      "TOO_MANY_RETRIES",
      `Received a 401 response from ${url}. Attempted to refresh the session ${attempts} ` +
        "times in vain " +
        "(maxRetryAttemptsForSessionRefresh)",
    ),

  /** Of `init`. */
  again() {
    console.warn("SuperTokens was already initialized: this init changes nothing");
  },

  /**
   * At the start with what settings.
   * @param {string} message without tokens and ids
   * @param {number} time
   */
  log(message, time) {
    const shown = (/** @type {unknown} */ value) =>
      typeof value === "function" ? "given" : JSON.stringify(value);
    const settings = () =>
      Object.entries(initOptions).map(([name, value]) => `${name} ${shown(value)}`);
    const text = message === "init" ? `init: ${settings().join(", ")}` : message;
    console.log(
      `com.supertokens {t: "${new Date(time).toISOString()}", message: "${text}", ` +
        `supertokens-website-ver: "passerby"}`,
    );
  },

  /** Of an axios instance. */
  needless() {
    console.warn("addAxiosInterceptors: axios needs nothing, XMLHttpRequest is intercepted");
  },

  /** Of a member of the window: an imitation, or one that somebody locked. @param {string} name */
  locked(name) {
    console.warn(
      `${name} of this page is not the browser's or cannot be replaced, and carries no session: ` +
        "have it changed after init, or use Session.fetch",
    );
  },

  /** Of a body. */
  spent() {
    console.warn("The session was refreshed, but a stream cannot be sent again");
  },

  /** Of a cookie. @param {string} name */
  refused(name) {
    console.warn(
      `Saving to cookies was not successful: "${name}" cannot be read back (over 4096 bytes, ` +
        "blocked, in an iframe without isInIframe, or a cookieHandler that keeps nothing?)",
    );
  },
});
