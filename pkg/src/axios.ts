/* eslint-disable @typescript-eslint/no-explicit-any -- axios has had many types of its own */
/**
 * The session for axios where neither the patched `fetch` nor the patched `XMLHttpRequest` carries
 * its requests: with an adapter of the app's or of Node, or with interception off. A request takes
 * the place of `fetch` in the engine; what is decided, is decided there.
 */

/** The parts of an axios instance that are used. */
export interface AxiosLike {
  defaults: any;
  request(config: any): Promise<any>;
  create?(): AxiosLike;
}

/** The parts of a response that are used. */
export interface Answer {
  status: number;
  headers: Headers;
  /** Where it came from, in the end, if that is known. */
  url?: string;
  clone(): Response;
}

/** Sends one attempt. */
export type Send = (headers: Headers, addCredentials: boolean) => Promise<Answer>;

/** The module that does the work: `src/browser/host.js`. */
export interface Engine {
  /** The URL if requests to it are ours. */
  findOurs(url: string): { href: string } | false | undefined;
  /**
   * Comes to an answer of `send`, or to the refresh endpoint's response in its place. `once` when
   * it cannot be sent again.
   */
  intercept(call: { input: string; headers: Headers; once: boolean; send: Send }): Promise<unknown>;
}

type Config = Record<string, any>;
type Adapter = (config: Config) => Promise<any>;

/**
 * On a patched `fetch`, and on a patched `XMLHttpRequest`, ours or another's. Repeated here: an
 * export would make the entry larger. tests/unit/names.test.mjs compares them.
 */
const FETCH = "__supertokensOriginalFetch";
const XHR = "__interceptedBySuperTokens";

/** Adapters that we made. */
const ours = new WeakSet<Adapter>();

/**
 * A request's configuration as a request interceptor leaves it: the session goes along. Adding it
 * to an instance a second time changes nothing.
 */
export function intercepted(config: Config, instance: AxiosLike, engine: Engine): Config {
  const { adapter } = config;
  if (!ours.has(adapter) && !isAlreadyIntercepted(config)) {
    // Other interceptors may still change URL and headers, so nothing is decided before the adapter
    // runs.
    config.adapter = (final: Config) => {
      // An app may send the configuration again that it finds in an answer or in an error.
      final.adapter = adapter;
      return restore(exchange(final, adapterOf(instance, adapter), engine), final, instance);
    };
    ours.add(config.adapter);
  }
  return config;
}

/**
 * Whether the adapter that axios will choose is one whose requests we see anyway. To carry one
 * twice would double its events.
 */
function isAlreadyIntercepted({ adapter, env }: Config): boolean {
  const xhr = globalThis.XMLHttpRequest;
  const byXhr = !!xhr && XHR in xhr;
  const byFetch = FETCH in (env?.fetch ?? globalThis.fetch ?? {});
  for (const name of [adapter ?? ["xhr", "http", "fetch"]].flat()) {
    if (name === "xhr" && xhr) return byXhr;
    if (name === "fetch") return byFetch;
    // One of the app's sends with either.
    if (typeof name === "function") return byXhr && byFetch;
    if (name === "http" && !xhr) return false;
  }
  return false;
}

/**
 * Only axios knows its adapters by name; an instance of which nothing but the adapter is left runs
 * them for us.
 */
function adapterOf(instance: AxiosLike, adapter: unknown): Adapter {
  if (typeof adapter === "function") return async (config) => adapter(config);
  const bare = bareOf(instance);
  return (config) => bare.request({ ...config, transformRequest: [], transformResponse: [] });
}

function bareOf(instance: AxiosLike): AxiosLike {
  const Class = instance.constructor as new (config: object) => AxiosLike;
  const bare = instance.create?.() ?? new Class({});
  bare.defaults.headers = {};
  return bare;
}

/** Without what we added, lest a token of today stands in the way of tomorrow's. */
async function restore(
  outcome: Promise<any>,
  config: Config,
  instance: AxiosLike,
): Promise<unknown> {
  try {
    const response = await outcome;
    response.config = config;
    return response;
  } catch (thrown) {
    const error: any = thrown instanceof AxiosErrorDraft ? await toError(thrown, instance) : thrown;
    if (error?.config) error.config = config;
    if (error?.response) error.response.config = config;
    throw error;
  }
}

async function exchange(config: Config, adapter: Adapter, engine: Engine): Promise<unknown> {
  const url = engine.findOurs(fullUrl(config));
  if (!url) return adapter(config);

  const { data, signal, cancelToken, withCredentials } = config;
  const headers = toHeaders(config.headers);
  /** Each answer as axios made it. */
  const outcomes = new Map<unknown, { response: any; error?: any }>();
  let failure: { error: unknown } | undefined;
  let isFlying = false;
  let cancellation: unknown;

  const send: Send = async (changed, addCredentials) => {
    if (cancellation) throw cancellation;
    const attempt: Config = { ...config, headers: merge(config.headers, headers, changed) };
    if (addCredentials && withCredentials === undefined) attempt.withCredentials = true;
    isFlying = true;
    const outcome = await adapter(attempt).then(
      (response) => ({ response }),
      (error) => ({ response: error?.response, error }),
    );
    isFlying = false;
    const { response } = outcome;
    if (!response) throw (failure = outcome as { error: unknown }).error;
    const answer = {
      status: response.status,
      headers: toHeaders(response.headers),
      url: response.request?.responseURL,
      clone: () => new Response(bodyOf(response.data)),
    };
    outcomes.set(answer, outcome);
    return answer;
  };

  let cancel = (_reason?: any) => {};
  const cancelled = new Promise((_, reject) => {
    cancel = (reason) => {
      // Axios itself ends requests that are in flight.
      if (isFlying) return;
      const details = { name: "CanceledError", __CANCEL__: true };
      reject(
        (cancellation = reason?.__CANCEL__
          ? reason
          : new AxiosErrorDraft("canceled", "ERR_CANCELED", config, details)),
      );
    };
  });
  signal?.addEventListener?.("abort", cancel);
  cancelToken?.subscribe?.(cancel);

  try {
    const call = { input: url.href, headers: new Headers(headers), once: isStream(data), send };
    const result = await Promise.race([engine.intercept(call), cancelled]).catch(
      (reason: unknown) => {
        if (reason instanceof Response) return reason;
        throw failure || cancellation ? reason : makeFailure(reason, config);
      },
    );
    if (result instanceof Response) {
      const { cause } = result as { cause?: unknown };
      return settle(
        { ...(await readResponse(result, config)), cause: outcomes.get(cause)?.response },
        config,
      );
    }
    const { response, error } = outcomes.get(result)!;
    if (error) throw error;
    return response;
  } finally {
    signal?.removeEventListener?.("abort", cancel);
    cancelToken?.unsubscribe?.(cancel);
  }
}

/** As axios joins them. An absolute URL stands for itself, unless the app forbids that. */
function fullUrl({ baseURL, url, allowAbsoluteUrls }: Config): string {
  const path = `${url ?? ""}`;
  const isAbsolute = /^([a-z][a-z\d+.-]*:)?\/\//i.test(path);
  if (!baseURL || (isAbsolute && allowAbsoluteUrls !== false)) return path;
  return path ? `${baseURL}`.replace(/\/+$/, "") + "/" + path.replace(/^\/+/, "") : baseURL;
}

/** axios has lists under one name, and `null` or `false` for "not at all". */
function toHeaders(values: object | undefined): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(values ?? {})) {
    for (const item of [value].flat())
      if (item != null && item !== false) headers.append(name, `${item}`);
  }
  return headers;
}

/** The caller's headers as they were, but for what has changed. */
function merge(values: Config = {}, before: Headers, after: Headers): Config {
  // axios has a class of its own for them.
  const merged: Config = Object.create(Object.getPrototypeOf(values));
  for (const [name, value] of Object.entries(values))
    if (before.get(name) === after.get(name)) merged[name] = value;
  after.forEach((value, name) => {
    if (before.get(name) !== value) merged[name] = value;
  });
  return merged;
}

function isStream(data: any): boolean {
  return typeof (data?.getReader ?? data?.pipe) === "function";
}

/** For readers of the body beside the caller. A stream is the caller's alone. */
function bodyOf(data: any): BodyInit | null {
  const isBinary =
    typeof data?.arrayBuffer === "function" ||
    data instanceof ArrayBuffer ||
    ArrayBuffer.isView(data);
  if (typeof data === "string" || isBinary) return data;
  return isStream(data) ? null : (JSON.stringify(data) ?? null);
}

/** The refresh endpoint's response as axios would have read it. */
async function readResponse(response: Response, config: Config): Promise<Config> {
  const { status, statusText } = response;
  const readers: Record<string, () => unknown> = {
    arraybuffer: () => response.arrayBuffer(),
    blob: () => response.blob(),
    stream: () => response.body,
  };
  const data = await (readers[config.responseType] ?? (() => response.text()))();
  return {
    data,
    status,
    statusText,
    headers: Object.fromEntries(response.headers),
    config,
    request: undefined,
  };
}

function settle(response: Config, config: Config): Config {
  const { status } = response;
  if (!config.validateStatus || config.validateStatus(status)) return response;
  const code = status < 500 ? "ERR_BAD_REQUEST" : "ERR_BAD_RESPONSE";
  throw new AxiosErrorDraft(`Request failed with status code ${status}`, code, config, {
    status,
    response,
  });
}

/** An error that is not of the request itself. */
function makeFailure(cause: any, config: Config): AxiosErrorDraft {
  // That is how `fetch` says that the refresh endpoint cannot be reached.
  const isNetwork = cause instanceof TypeError;
  const message = isNetwork ? "Network Error" : `${cause?.message ?? cause}`;
  return new AxiosErrorDraft(message, (!isNetwork && cause?.code) || "ERR_NETWORK", config, {
    cause,
  });
}

/** An error of ours, before it is one of axios'. */
class AxiosErrorDraft {
  constructor(
    readonly message: string,
    readonly code: string,
    readonly config: Config,
    readonly details: Config,
  ) {}
}

/** With the properties that an app finds in an error of axios. */
async function toError(
  { message, code, config, details }: AxiosErrorDraft,
  instance: AxiosLike,
): Promise<Error> {
  const Class = await errorClass(instance, "__CANCEL__" in details);
  const error = Object.assign(new Class(message), {
    name: "AxiosError",
    isAxiosError: true,
    code,
    config,
    ...details,
  });
  const { name, status } = error as Config;
  return Object.assign(error, { toJSON: () => ({ message, name, code, status }) });
}

/**
 * The class of errors of this version of axios. No instance shows it, so a request that cannot
 * succeed is made, and its error has the class.
 */
async function errorClass(instance: AxiosLike, isCancellation: boolean): Promise<ErrorConstructor> {
  const adapter = isCancellation ? () => Promise.reject(new Error()) : "none of this name";
  const error = await bareOf(instance)
    .request({ url: "data:,", adapter, signal: isCancellation ? AbortSignal.abort() : undefined })
    .catch((error: unknown) => error);
  // Old versions throw others.
  return error?.[isCancellation ? "__CANCEL__" : "isAxiosError"] ? error.constructor : Error;
}
