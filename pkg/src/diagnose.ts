/**
 * Finds the usual misconfigurations. It only reads: no request here refreshes, ends or begins a
 * session. Those that carry the visitor's cookies go to the key set, or ask for permission first by
 * headers that only a server for this website allows.
 */

/** Something that keeps sessions from working. */
export interface Diagnosis {
  code:
    | "CLOCK_OFF"
    | "COOKIES_BLOCKED"
    | "CORS_CREDENTIALS"
    | "CORS_HEADERS"
    | "CORS_ORIGIN"
    | "CROSS_SITE_COOKIES"
    | "HEADERS_NOT_EXPOSED"
    | "INSECURE_CONTEXT"
    | "NOT_INITIALISED"
    | "UNREACHABLE"
    | "WASM_BLOCKED"
    | "WASM_LATE"
    | "WASM_MISSING"
    | "WIDE_DOMAIN"
    | "WRONG_API";
  /** The problem. */
  message: string;
  /** The way to solve it. */
  fix: string;
}

/** The things that are looked at. */
export interface Given {
  /** As `init` made it of its options; empty before `init`. */
  refreshUrl: string;
  /** Whether requests there get the session, as `init` was told. Default: nobody knows. */
  isOurs?: (url: string) => boolean;
  /** The browser's own. Default: that of the page. */
  fetch?: typeof fetch;
  /** Whether the WebAssembly module runs. */
  isLoaded: boolean;
  /** Why it did not run at once. Default: it did, or nobody tried. */
  reason?: unknown;
  /** Where the SDK keeps its cookies. Default: `document.cookie`. */
  cookies?: () => string | Promise<string>;
}

interface Context extends Given {
  /** Scheme, host and port; empty before `init`. */
  apiDomain: string;
  /** With a slash in front and none behind, or empty. */
  apiBasePath: string;
}

/** Milliseconds that a server may take. */
const REQUEST_TIMEOUT_MS = 5000;
/** Milliseconds from which a clock counts as wrong. */
const TOLERANCE = 60_000;

// Names of the protocol, compared by tests/unit/names.test.mjs. Imported ones would have to be
// exports of the entry, which every visitor downloads.
/** Headers that every session needs a server's permission for. */
const headers = { rid: "anti-csrf", "st-auth-mode": "cookie", "fdi-version": "4.2" };
const KEYS = "/jwt/jwks.json";
const REFRESH = "/session/refresh";
const TOKEN_HEADERS =
  "front-token, st-anonymous-front-token, anti-csrf, st-access-token, st-refresh-token";

/** Everything that is wrong; nothing when all is well. */
export async function diagnose(given: Given): Promise<Diagnosis[]> {
  const { origin, pathname } = given.refreshUrl
    ? new URL(given.refreshUrl)
    : { origin: "", pathname: "" };
  const context: Context = {
    ...given,
    apiDomain: origin,
    apiBasePath: pathname.replace(REFRESH, ""),
  };
  const found = [wasm(context), secureContext(), cookies()];
  if (origin) {
    const calls = earlierCalls(context);
    found.push(
      wideDomain(context),
      await hiddenHeaders(context, calls),
      crossSite(context, calls),
      ...(await api(context)),
    );
  } else if (!found[0]) {
    found.push(
      diagnosis(
        "NOT_INITIALISED",
        "init has not been called.",
        "Call init with your apiDomain when the page starts.",
      ),
    );
  }
  return found.filter((item) => item !== undefined);
}

function diagnosis(code: Diagnosis["code"], message: string, fix: string): Diagnosis {
  return { code, message, fix };
}

// --- the page ------------------------------------------------------------------------------------

/** The smallest module there is. */
const SMALLEST = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
/** The smallest one with what is newest of all that ours asks for: a type with a reference. */
const NEWEST = new Uint8Array([...SMALLEST, 1, 5, 1, 96, 1, 111, 0]);

function wasm({ isLoaded, reason }: Context): Diagnosis | undefined {
  if (isLoaded && !reason) return undefined;
  const instead = isLoaded ? " The same code runs as JavaScript: more to load, and slower." : "";
  if (typeof WebAssembly === "undefined") {
    return diagnosis(
      "WASM_MISSING",
      `This browser has no WebAssembly.${instead}`,
      "Use a current browser, without the mode that switches WebAssembly off (Lockdown Mode, " +
        "for example).",
    );
  }
  try {
    // Some browsers forbid the one step, some the other.
    new WebAssembly.Instance(new WebAssembly.Module(SMALLEST));
  } catch (cause) {
    return diagnosis(
      "WASM_BLOCKED",
      `The page's content security policy forbids WebAssembly (${cause}).${instead}`,
      "Add 'wasm-unsafe-eval' to script-src in the Content-Security-Policy of the page.",
    );
  }
  if (!reason) return undefined;
  if (!WebAssembly.validate(NEWEST)) {
    return diagnosis(
      "WASM_MISSING",
      `This browser's WebAssembly is too old for the module (${reason}).${instead}`,
      "Nothing, or a newer browser.",
    );
  }
  return diagnosis(
    "WASM_LATE",
    `This browser does not make a WebAssembly module of this size at once (${reason}). The ` +
      "first requests to the API waited for it.",
    "Nothing, or a newer browser: Chromium can do it from 115 on.",
  );
}

function secureContext(): Diagnosis | undefined {
  if (globalThis.isSecureContext !== false) return undefined;
  return diagnosis(
    "INSECURE_CONTEXT",
    "The page is not a secure context, so tabs cannot wait for each other (Web Locks) and " +
      "tokens cannot be verified (SubtleCrypto).",
    "Serve the page by https, or from localhost.",
  );
}

/** Writes a cookie and reads it back, as a page of its own and as one within another site's. */
function cookies(): Diagnosis | undefined {
  if (typeof document === "undefined") return undefined;
  const name = "passerby-check";
  let isKept = false;
  const embedded = "path=/;samesite=none;secure";
  for (const attributes of ["path=/;samesite=lax", embedded, `${embedded};partitioned`]) {
    try {
      document.cookie = `${name}=1;${attributes}`;
      isKept ||= document.cookie.includes(`${name}=1`);
      document.cookie = `${name}=;${attributes};max-age=0`;
    } catch {
      // A sandbox has none at all.
    }
  }
  if (isKept) return undefined;
  return diagnosis(
    "COOKIES_BLOCKED",
    "The browser refuses the cookies of this page.",
    "Allow cookies for this site. In a frame of another site, set isInIframe: true and serve " +
      "the page by https; a sandboxed frame needs allow-same-origin.",
  );
}

/** None in a sandbox, without a document, or where a handler of the app fails. */
async function storedCookies({ cookies = () => document.cookie }: Context): Promise<string> {
  try {
    return await cookies();
  } catch {
    return "";
  }
}

/** Of whole top-level domains one finds out by a host that is nobody's. */
function wideDomain({ apiDomain, isOurs }: Context): Diagnosis | undefined {
  const names = [new URL(apiDomain).hostname, globalThis.location?.hostname ?? ""].map(
    (host) => /\.([a-z][^.]*)$/.exec(host)?.[1],
  );
  const name = ["com", ...names].find(
    (name) => name && isOurs?.(`https://nobody-${Math.random().toString(36).slice(2)}.${name}`),
  );
  if (!name) return undefined;
  return diagnosis(
    "WIDE_DOMAIN",
    `Requests to every host of .${name} get the session, those of strangers included.`,
    "sessionTokenBackendDomain must be a domain of your own, like .example.com.",
  );
}

// --- what happened so far ------------------------------------------------------------------------

type Call = PerformanceResourceTiming & { responseStatus?: number };

const base = ({ apiDomain, apiBasePath }: Context) => apiDomain + apiBasePath;

const isSameOrigin = ({ apiDomain }: Context) =>
  new URL(apiDomain).origin === globalThis.location?.origin;

/** Calls of the refresh endpoint on this page; ours have a query. */
function earlierCalls(context: Context): Call[] {
  return performance.getEntriesByName(base(context) + REFRESH, "resource") as Call[];
}

/**
 * No browser shows which headers are exposed, but after a successful refresh, what it brought must
 * be stored.
 */
async function hiddenHeaders(context: Context, calls: Call[]): Promise<Diagnosis | undefined> {
  const text = await storedCookies(context);
  const changed = parseFloat(/(?:^|; *)st-last-access-token-update=([^;]*)/.exec(text)?.[1] ?? "0");
  const isHidden = ({ responseStatus, startTime }: Call) =>
    responseStatus === 200 && !(changed >= performance.timeOrigin + startTime - 1);
  if (isSameOrigin(context) || !calls.some(isHidden)) return undefined;
  return diagnosis(
    "HEADERS_NOT_EXPOSED",
    `${base(context)}${REFRESH} answered 200, but the page could not read the front-token ` +
      "that came with it.",
    `Have the API send Access-Control-Expose-Headers: ${TOKEN_HEADERS}; and see that no ` +
      "proxy removes these headers.",
  );
}

/**
 * Two refused refreshes in one page mean that a session was made between them, and that its cookies
 * were not sent with the next refresh: after one refusal nothing is refreshed until there is a
 * session again.
 */
function crossSite({ apiDomain }: Context, calls: Call[]): Diagnosis | undefined {
  if (!globalThis.location?.hostname) return undefined;
  const api = new URL(apiDomain);
  const isLocal = [api, location].every(({ hostname }) =>
    /^(localhost|[\d.]+|\[.*)$/.test(hostname),
  );
  if (siteOf(api) === siteOf(location) || isLocal) return undefined;
  const isLost = calls.filter(({ responseStatus }) => responseStatus === 401).length > 1;
  if (
    api.protocol === "https:" &&
    (!isLost || calls.some(({ responseStatus }) => responseStatus === 200))
  )
    return undefined;
  return diagnosis(
    "CROSS_SITE_COOKIES",
    `The page (${location.origin}) and the API (${api.origin}) are different sites, and ` +
      "browsers keep cookies with SameSite=lax from going between them.",
    "Serve both by https from one domain (app.example.com and api.example.com); or have the " +
      'API set SameSite=none; or use tokenTransferMethod: "header".',
  );
}

/** Nearly: only the list of public suffixes would know about co.uk, and then we hold our tongue. */
function siteOf({ protocol, hostname }: URL | Location): string {
  return protocol + hostname.split(".").slice(-2).join(".");
}

// --- the API -------------------------------------------------------------------------------------

async function api(context: Context): Promise<(Diagnosis | undefined)[]> {
  const url = base(context);
  const ask = (path: string, init: RequestInit) => send(context, `${url}${path}?diagnose`, init);
  const { origin } = globalThis.location ?? {};
  const allowed = { headers, credentials: "include" } as const;
  const bare = { credentials: "omit" } as const;

  let keys = await ask(KEYS, allowed);
  // Servers of SuperTokens give the key set to everybody, and for that reason to nobody with
  // credentials.
  if (!keys) {
    keys = await ask(KEYS, bare);
    if (!(await ask(REFRESH, allowed))) {
      if (isSameOrigin(context) || !(keys ?? (await ask(KEYS, { ...bare, mode: "no-cors" })))) {
        const fix =
          "Is apiDomain right, is the API running, does connect-src of the page's content " +
          "security policy name it, and is it https if the page is?";
        return [diagnosis("UNREACHABLE", `The browser cannot reach ${url}.`, fix)];
      }
      if (await ask(REFRESH, { ...bare, headers })) {
        return [
          diagnosis(
            "CORS_CREDENTIALS",
            `${url} does not allow ${origin} to send credentials.`,
            "Have the API send Access-Control-Allow-Credentials: true, and " +
              `Access-Control-Allow-Origin: ${origin} in place of *.`,
          ),
        ];
      }
      if (await ask(REFRESH, bare)) {
        const fix =
          "Have the API answer OPTIONS requests with Access-Control-Allow-Headers: " +
          "content-type, authorization, anti-csrf, st-anonymous-mode, " +
          `${Object.keys(headers).join(", ")}.`;
        return [
          diagnosis(
            "CORS_HEADERS",
            `${url} does not allow the headers of the SDK in requests of ${origin}.`,
            fix,
          ),
        ];
      }
      const fix =
        `Have the API send Access-Control-Allow-Origin: ${origin} with all its answers, errors ` +
        "and OPTIONS included.";
      return [diagnosis("CORS_ORIGIN", `${url} answers, but does not let ${origin} read it.`, fix)];
    }
  }
  return [
    await wrongApi(url, keys, () => ask(REFRESH, { ...bare, headers })),
    await clock(context, keys),
  ];
}

async function send(
  { fetch = window.fetch }: Context,
  url: string,
  init: RequestInit,
): Promise<Response | undefined> {
  try {
    return await fetch.call(window, url, {
      cache: "no-store",
      signal: AbortSignal.timeout?.(REQUEST_TIMEOUT_MS),
      ...init,
    });
  } catch {
    return undefined;
  }
}

/**
 * A server that has the session routes has the key set, or says of the other route that it wants
 * something else than a GET.
 */
async function wrongApi(
  url: string,
  keys: Response | undefined,
  route: () => Promise<Response | undefined>,
): Promise<Diagnosis | undefined> {
  const body: unknown = await keys
    ?.clone()
    .json()
    .catch(() => undefined);
  if (!keys || (keys.ok && Array.isArray((body as { keys?: unknown } | null | undefined)?.keys)))
    return undefined;
  const status = (await route())?.status ?? 404;
  if (status !== 404 && status >= 300) return undefined;
  return diagnosis(
    "WRONG_API",
    `${url} has no session routes: ${KEYS} gives no key set (${keys.status}), and ${REFRESH} ` +
      "is not there either.",
    "apiDomain and apiBasePath of init must be those of the back end. Is its session " +
      "middleware in place?",
  );
}

async function clock(
  context: Context,
  answer: Response | undefined,
): Promise<Diagnosis | undefined> {
  let now = Date.now();
  let date = answer?.headers.get("date");
  // Other origins hide it; the page's own server will do.
  if (!date && /^http/.test(globalThis.location?.protocol ?? "")) {
    const page = await send(context, location.href, { method: "HEAD", credentials: "omit" });
    now = Date.now();
    // An answer that a cache kept is as old as it says.
    const age = Number(page?.headers.get("age")) || 0;
    date = page?.headers.get("date");
    now -= age * 1000;
  }
  const skew = now - Date.parse(date ?? "");
  if (!(Math.abs(skew) > TOLERANCE)) return undefined;
  const minutes = Math.round(Math.abs(skew) / 60_000);
  return diagnosis(
    "CLOCK_OFF",
    `The clock of this device is ${minutes} min ${skew > 0 ? "ahead of" : "behind"} the server's.`,
    "Set the clocks of both by the network. Sessions go on, but the age of tokens and claims " +
      "is only estimated.",
  );
}
