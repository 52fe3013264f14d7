// XMLHttpRequest with the visitor's session. A request of ours goes the way of `fetch`. One native
// object carries all attempts, and of its events the caller gets those that belong to the final
// answer. `timeout` counts from the caller's `send` to the end, refresh and all.

import { initOptions, isRestarting } from "./handlers.js";
import { findOurs, intercept, loadRare, toConsole } from "./host.js";

/** @typedef {import("./host.js").Answer} Answer */
/**
 * From one `open` to the next. `isFlying` is true from `send` to `loadend` of the native object;
 * while `isReplay`, it repeats what the caller saw before.
 * @typedef {{
 *   shown: number, // the readyState that the caller knows of
 *   held: [Event, number][], // what is not shown yet, each with its readyState
 *   call: import("./host.js").Call,
 *   reopen: () => void,
 *   isPending?: boolean, // sent by the caller, and not over
 *   isFlying?: boolean,
 *   isReplay?: boolean,
 *   settle?: [(answer: Answer) => void, (reason?: unknown) => void], // the attempt
 *   answer?: Answer, // the latest attempt's
 *   replacement?: Record<string, unknown> & { headers: Headers }, // of the answer
 *   timer?: number,
 *   timeout?: number, // the caller's, while the native object has what is left of it
 * }} Exchange
 */

const CHANGE = "readystatechange";
const EVENTS = [CHANGE, "loadstart", "progress", "abort", "error", "load", "timeout", "loadend"];

/** By this, interceptors of SuperTokens for axios see that nothing is left to do. */
const INTERCEPTED_HEADER = "x-supertokens-xhr-intercepted";
/** By this, they see it of the class. */
const INTERCEPTED_FLAG = "__interceptedBySuperTokens";

/** Members that show or hide with the answer; `cause` is ours. */
const ANSWERS =
  "readyState,status,statusText,responseURL,response,responseText,responseXML,cause".split(",");

/** @type {number} */
let expiredStatus;
/** @type {typeof XMLHttpRequest} */
let NativeXhr;
/** @type {typeof XMLHttpRequest} */
let OwnXhr;

/**
 * By object; by its upload, where the caller has seen that, the object.
 * @type {WeakMap<any, any>}
 */
const exchanges = new WeakMap();
/** Requests whose caller decided about credentials. @type {WeakSet<XMLHttpRequest>} */
const credentialsDecided = new WeakSet();
/** Requests whose caller has seen the upload. @type {WeakSet<XMLHttpRequest>} */
const watched = new WeakSet();

/** @param {XMLHttpRequest} xhr @param {string} name */
function nativeMember(xhr, name) {
  try {
    return Reflect.get(NativeXhr.prototype, name, xhr);
  } catch (/** @type {any} */ error) {
    // Those of the standard have a code. Firefox has one of its own for the text of a call that
    // failed, where it could not parse the answer before as XML, as it does with those of no type.
    if (error.code) throw error;
    return "";
  }
}

/** The part that the caller may know. @param {XMLHttpRequest} xhr @param {string} name */
function visibleMember(xhr, name) {
  const value = nativeMember(xhr, name); // which throws where it does
  const exchange = exchanges.get(xhr);
  if (!exchange) return value;
  const { replacement, shown } = exchange;
  if (name === "readyState") return shown;
  if (shown > 1) return replacement ? replacement[name] : value;
  return typeof value === "string" ? "" : typeof value === "number" ? 0 : null;
}

/** The exchange that can still be configured, if it is ours. @param {XMLHttpRequest} xhr */
function unsentExchange(xhr) {
  const exchange = exchanges.get(xhr);
  // Throws what the native object would.
  if (exchange && (exchange.isPending || exchange.shown !== 1)) new NativeXhr().send();
  return exchange;
}

/** The first listener of every object. @param {Event} event */
function holdEvents(event) {
  const xhr = /** @type {XMLHttpRequest} */ (event.currentTarget);
  const exchange = exchanges.get(xhr);
  if (!exchange || !event.isTrusted) return;
  const { held, isPending, isReplay } = exchange;
  const isChange = event.type === CHANGE;
  const state = nativeMember(xhr, "readyState");
  const status = nativeMember(xhr, "status");
  if (!isPending || !(isReplay || held[0] || state > 3 || (isChange && status === expiredStatus))) {
    if (isChange) exchange.shown = state;
    return;
  }
  event.stopImmediatePropagation();
  if (isReplay) return;
  held.push([event, state]);
  if (event.type === "loadend") {
    exchange.isFlying = false;
    exchange.answer = {
      status,
      headers: headersOf(xhr, status),
      url: nativeMember(xhr, "responseURL"),
      clone() {
        const body = nativeMember(xhr, "response");
        return new Response(xhr.responseType === "json" ? JSON.stringify(body) : body);
      },
    };
    exchange.settle?.[status ? 0 : 1](exchange.answer);
  }
}

/**
 * All of them, because asked for one that CORS hides the browser complains in the console. WebKit
 * goes on giving the list that it was first asked for, of every later answer too; so there one by
 * one, while the object may be used again.
 * @param {XMLHttpRequest} xhr @param {number} status
 */
function headersOf(xhr, status) {
  const { getAllResponseHeaders, getResponseHeader } = NativeXhr.prototype;
  const headers = new Headers();
  if (status === expiredStatus && "XMLHttpRequestProgressEvent" in window)
    headers.get = (name) => getResponseHeader.call(xhr, name);
  else
    for (const [, name = "", value = ""] of getAllResponseHeaders
      .call(xhr)
      .matchAll(/(.+?): (.*)/g))
      headers.append(name, value);
  return headers;
}

/**
 * The first listener of an upload: what comes after an answer, the caller has seen before.
 * @param {Event} event
 */
function muteUpload(event) {
  if (exchanges.get(exchanges.get(event.currentTarget))?.answer) event.stopImmediatePropagation();
}

/** @param {XMLHttpRequest} xhr @param {Exchange} exchange */
function stop(xhr, exchange) {
  exchange.isPending = false;
  exchange.settle?.[1]();
  clearTimeout(exchange.timer);
  if (exchange.timeout) xhr.timeout = exchange.timeout;
}

/** @param {XMLHttpRequest} xhr @param {Exchange} exchange */
function releaseEvents(xhr, exchange) {
  // A listener may put an end to it.
  for (let next; (next = exchange.held.shift());) {
    const [event, state] = next;
    exchange.shown = state;
    // By what it has, because WebKit's class for these events cannot be constructed, and a frame
    // has classes of its own.
    const Type = "loaded" in event ? ProgressEvent : Event;
    xhr.dispatchEvent(event.isTrusted ? new Type(event.type, event) : event);
  }
}

/**
 * While the native object does nothing.
 * @param {XMLHttpRequest} xhr
 * @param {Exchange} exchange
 * @param {string} type
 * @param {unknown} [error]
 */
function failWith(xhr, exchange, type, error) {
  stop(xhr, exchange);
  NativeXhr.prototype.abort.call(xhr);
  exchange.held = [
    [new Event(CHANGE), 4],
    [Object.assign(new ProgressEvent(type), { error }), 4],
    [new ProgressEvent("loadend"), 4],
  ];
  releaseEvents(xhr, exchange);
}

/** @param {XMLHttpRequest} xhr @param {Exchange} exchange @param {unknown} result */
async function finish(xhr, exchange, result) {
  if (exchange.isPending && result instanceof Response) {
    try {
      exchange.replacement = await (await loadRare()).read(result, xhr.responseType);
      result = exchange.answer;
    } catch (error) {
      // `rare.js` could not be loaded.
      result = error;
    }
  }
  if (!exchange.isPending) return;
  if (result === exchange.answer) {
    stop(xhr, exchange);
    releaseEvents(xhr, exchange);
  } else {
    failWith(xhr, exchange, "error", result);
  }
}

/** @param {number} status a response of which is not shown before it is known to be final */
export function patchXhr(status) {
  expiredStatus = status;
  const add = initOptions.recipe?.addXMLHttpRequestInterceptor ?? deriveXhr;
  if (!isWanted()) return restoreXhr(true);
  // Patched by us before, by another copy or by SuperTokens: one is enough.
  if (!isXhrOurs()) add({ userContext: {} });
}

const isWanted = () => initOptions.interception !== "none";

/** Whether requests of `XMLHttpRequest` carry the session. */
export const isXhrOurs = () => INTERCEPTED_FLAG in Object(window.XMLHttpRequest);

export function deriveXhr() {
  try {
    NativeXhr = window.XMLHttpRequest;
    OwnXhr = derive();
    // A constructor that others put in its place may make something else, or keep in each object
    // what ours is built on.
    if (
      "upload" in NativeXhr.prototype &&
      new OwnXhr() instanceof OwnXhr &&
      Reflect.set(window, "XMLHttpRequest", OwnXhr)
    )
      return;
  } catch {
    // It is missing, or cannot be derived from.
  }
  if (NativeXhr) toConsole("locked", "XMLHttpRequest");
}

/** Leaves another library's wrapper around ours in place. */
export function restoreXhr(isNeeded = !isRestarting) {
  if (isNeeded && OwnXhr && window.XMLHttpRequest === OwnXhr)
    Reflect.set(window, "XMLHttpRequest", NativeXhr);
}

function derive() {
  class derived extends NativeXhr {
    constructor() {
      super();
      for (const type of EVENTS) super.addEventListener(type, holdEvents, true);
    }

    /** @param {string} method @param {string | URL} url @param {any[]} rest */
    open(method, url, ...rest) {
      super.open(.../** @type {[any, any]} */ (/** @type {any} */ (arguments)));
      const earlier = exchanges.get(this);
      if (earlier) {
        stop(this, earlier);
        earlier.held = [];
        if (!credentialsDecided.has(this)) super.withCredentials = false;
      }
      const ours = isWanted() && (!rest.length || rest[0]) && findOurs(url);
      if (!ours) return void exchanges.delete(this);
      rest[0] = true;
      exchanges.set(this, {
        call: { input: ours.href, headers: new Headers() },
        reopen: () => super.open(method, ours.href, .../** @type {[any]} */ (rest)),
        shown: 1,
        held: [],
      });
      if (earlier && earlier.shown !== 1) this.dispatchEvent(new Event(CHANGE));
    }

    /** @param {string} name @param {string} value */
    setRequestHeader(name, value) {
      const exchange = unsentExchange(this);
      super.setRequestHeader(name, value);
      exchange?.call.headers.append(name, value);
    }

    /** @param {Document | XMLHttpRequestBodyInit | null} [body] */
    send(body) {
      const exchange = unsentExchange(this);
      if (!exchange) {
        // A listener there has the browser ask other origins for permission.
        if (watched.has(this))
          for (const type of EVENTS) super.upload.removeEventListener(type, muteUpload, true);
        return super.send(body);
      }
      const { timeout } = this;
      const deadline = performance.now() + timeout;
      let isFirst = true;
      /** @type {import("./host.js").Send} */
      const send = (headers, addCredentials) =>
        new Promise((...settle) => {
          exchange.settle = settle;
          if (!exchange.isPending) return settle[1]();
          exchange.held = [];
          exchange.isReplay = !isFirst;
          exchange.reopen();
          headers.forEach((value, name) => super.setRequestHeader(name, value));
          if (addCredentials && !credentialsDecided.has(this)) super.withCredentials = true;
          if (timeout && !isFirst) {
            exchange.timeout = timeout;
            this.timeout = Math.max(1, deadline - performance.now());
          }
          exchange.isFlying = true;
          super.send(body);
          exchange.isReplay = false;
        });
      const settled = (/** @type {unknown} */ result) => finish(this, exchange, result);
      exchange.isPending = true;
      if (timeout)
        exchange.timer = setTimeout(
          () => exchange.isFlying || failWith(this, exchange, "timeout"),
          timeout,
        );
      intercept({ ...exchange.call, send }).then(settled, settled);
      isFirst = false;
      if (!exchange.isFlying) this.dispatchEvent(new ProgressEvent("loadstart"));
    }

    abort() {
      const exchange = exchanges.get(this);
      if (exchange?.isPending && !exchange.isFlying) {
        failWith(this, exchange, "abort");
      } else {
        if (exchange) {
          stop(this, exchange);
          // A caller that aborts in `load` gets `loadend` all the same.
          exchange.held = exchange.held[1]
            ? []
            : exchange.held.map(() => [new ProgressEvent("loadend"), 0]);
        }
        super.abort();
      }
      if (exchange?.shown === 4) exchange.shown = 0;
    }

    /** @param {string} name */
    getResponseHeader(name) {
      const exchange = exchanges.get(this);
      if (exchange && `${name}`.toLowerCase() === INTERCEPTED_HEADER) return "true";
      if (exchange && exchange.shown < 2) return null;
      return exchange?.replacement
        ? exchange.replacement.headers.get(name)
        : super.getResponseHeader(name);
    }

    getAllResponseHeaders() {
      const lines = super.getAllResponseHeaders();
      const exchange = exchanges.get(this);
      if (!exchange) return lines;
      const { replacement, shown } = exchange;
      return `${shown < 2 ? "" : (replacement?.lines ?? lines)}${INTERCEPTED_HEADER}: true\r\n`;
    }

    get upload() {
      const upload = super.upload;
      exchanges.set(upload, this);
      watched.add(this);
      for (const type of EVENTS) upload.addEventListener(type, muteUpload, true);
      return upload;
    }

    // A minifier may give the class another name.
    static get name() {
      return "XMLHttpRequest";
    }

    get withCredentials() {
      return super.withCredentials;
    }

    set withCredentials(value) {
      super.withCredentials = value;
      credentialsDecided.add(this);
    }
  }
  // As the native ones are: other libraries list them.
  for (const name of Object.getOwnPropertyNames(derived.prototype).slice(1)) {
    Object.defineProperty(derived.prototype, name, { enumerable: true });
  }
  for (const name of ANSWERS) {
    Object.defineProperty(derived.prototype, name, {
      configurable: true,
      enumerable: true,
      /** @this {XMLHttpRequest} */
      get() {
        return visibleMember(this, name);
      },
    });
  }
  return Object.assign(derived, { [INTERCEPTED_FLAG]: true });
}
