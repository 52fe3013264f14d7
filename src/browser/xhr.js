// XMLHttpRequest with the visitor's session. A request of ours goes the way of `fetch`. One native
// object carries all attempts, and of its events the caller gets those that belong to the final
// answer. `timeout` counts from the caller's `send` to the end, refresh and all.

import { given, stays } from "./handlers.js";
import { findOurs, intercept, rare, say } from "./host.js";

/** @typedef {import("./host.js").Answer} Answer */
/**
 * From one `open` to the next. `isFlying` is true from `send` to `loadend` of the native object;
 * while `isQuiet`, it repeats what the caller saw before.
 * @typedef {{
 *   shown: number, // the readyState that the caller knows of
 *   held: [Event, number][], // what is not shown yet, each with its readyState
 *   call: import("./host.js").Call,
 *   reopen: () => void,
 *   isPending?: boolean, // sent by the caller, and not over
 *   isFlying?: boolean,
 *   isQuiet?: boolean,
 *   settle?: [(answer: Answer) => void, (reason?: unknown) => void], // the attempt
 *   answer?: Answer, // the latest attempt's
 *   instead?: Record<string, unknown> & { headers: Headers }, // what the caller gets in its place
 *   timer?: number,
 *   timeout?: number, // the caller's, while the native object has what is left of it
 * }} Exchange
 */

const CHANGE = "readystatechange";
const EVENTS = [CHANGE, "loadstart", "progress", "abort", "error", "load", "timeout", "loadend"];

/** By this, interceptors of SuperTokens for axios see that nothing is left to do. */
const MARK = "x-supertokens-xhr-intercepted";
/** By this, they see it of the class. */
const FLAG = "__interceptedBySuperTokens";

/** Members that show or hide with the answer; `cause` is ours. */
const ANSWERS =
  "readyState,status,statusText,responseURL,response,responseText,responseXML,cause".split(",");

/** @type {number} */
let expired;
/** @type {typeof XMLHttpRequest} */
let original;
/** @type {typeof XMLHttpRequest} */
let patched;

/**
 * By object; by its upload, where the caller has seen that, the object.
 * @type {WeakMap<any, any>}
 */
const exchanges = new WeakMap();
/** Requests whose caller decided about credentials. @type {WeakSet<XMLHttpRequest>} */
const decided = new WeakSet();
/** Requests whose caller has seen the upload. @type {WeakSet<XMLHttpRequest>} */
const watched = new WeakSet();

/** @param {XMLHttpRequest} xhr @param {string} name */
function native(xhr, name) {
  try {
    return Reflect.get(original.prototype, name, xhr);
  } catch (/** @type {any} */ error) {
    // Those of the standard have a code. Firefox has one of its own for the text of a call that
    // failed, where it could not parse the answer before as XML, as it does with those of no type.
    if (error.code) throw error;
    return "";
  }
}

/** The part that the caller may know. @param {XMLHttpRequest} xhr @param {string} name */
function visible(xhr, name) {
  const value = native(xhr, name); // which throws where it does
  const exchange = exchanges.get(xhr);
  if (!exchange) return value;
  const { instead, shown } = exchange;
  if (name === "readyState") return shown;
  if (shown > 1) return instead ? instead[name] : value;
  return typeof value === "string" ? "" : typeof value === "number" ? 0 : null;
}

/** The exchange that can still be configured, if it is ours. @param {XMLHttpRequest} xhr */
function ready(xhr) {
  const exchange = exchanges.get(xhr);
  // Throws what the native object would.
  if (exchange && (exchange.isPending || exchange.shown !== 1)) new original().send();
  return exchange;
}

/** The first listener of every object. @param {Event} event */
function gate(event) {
  const xhr = /** @type {XMLHttpRequest} */ (event.currentTarget);
  const exchange = exchanges.get(xhr);
  if (!exchange || !event.isTrusted) return;
  const { held, isPending, isQuiet } = exchange;
  const isChange = event.type === CHANGE;
  const state = native(xhr, "readyState");
  const status = native(xhr, "status");
  if (!isPending || !(isQuiet || held[0] || state > 3 || (isChange && status === expired))) {
    if (isChange) exchange.shown = state;
    return;
  }
  event.stopImmediatePropagation();
  if (isQuiet) return;
  held.push([event, state]);
  if (event.type === "loadend") {
    exchange.isFlying = false;
    exchange.answer = {
      status,
      headers: headersOf(xhr, status),
      url: native(xhr, "responseURL"),
      clone() {
        const body = native(xhr, "response");
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
  const { getAllResponseHeaders, getResponseHeader } = original.prototype;
  const headers = new Headers();
  if (status === expired && "XMLHttpRequestProgressEvent" in window)
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
function hush(event) {
  if (exchanges.get(exchanges.get(event.currentTarget))?.answer) event.stopImmediatePropagation();
}

/** @param {XMLHttpRequest} xhr @param {Exchange} exchange */
function end(xhr, exchange) {
  exchange.isPending = false;
  exchange.settle?.[1]();
  clearTimeout(exchange.timer);
  if (exchange.timeout) xhr.timeout = exchange.timeout;
}

/** @param {XMLHttpRequest} xhr @param {Exchange} exchange */
function show(xhr, exchange) {
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
function fail(xhr, exchange, type, error) {
  end(xhr, exchange);
  original.prototype.abort.call(xhr);
  exchange.held = [
    [new Event(CHANGE), 4],
    [Object.assign(new ProgressEvent(type), { error }), 4],
    [new ProgressEvent("loadend"), 4],
  ];
  show(xhr, exchange);
}

/** @param {XMLHttpRequest} xhr @param {Exchange} exchange @param {unknown} result */
async function conclude(xhr, exchange, result) {
  if (exchange.isPending && result instanceof Response) {
    try {
      exchange.instead = await (await rare()).read(result, xhr.responseType);
      result = exchange.answer;
    } catch (error) {
      // `rare.js` could not be loaded.
      result = error;
    }
  }
  if (!exchange.isPending) return;
  if (result === exchange.answer) {
    end(xhr, exchange);
    show(xhr, exchange);
  } else {
    fail(xhr, exchange, "error", result);
  }
}

/** @param {number} status a response of which is not shown before it is known to be final */
export function patchXhr(status) {
  expired = status;
  const add = given.recipe?.addXMLHttpRequestInterceptor ?? deriveXhr;
  if (!isWanted()) return restoreXhr(true);
  // Patched by us before, by another copy or by SuperTokens: one is enough.
  if (!isXhrOurs()) add({ userContext: {} });
}

const isWanted = () => given.interception !== "none";

/** Whether requests of `XMLHttpRequest` carry the session. */
export const isXhrOurs = () => FLAG in Object(window.XMLHttpRequest);

export function deriveXhr() {
  try {
    original = window.XMLHttpRequest;
    patched = derive();
    // A constructor that others put in its place may make something else, or keep in each object
    // what ours is built on.
    if (
      "upload" in original.prototype &&
      new patched() instanceof patched &&
      Reflect.set(window, "XMLHttpRequest", patched)
    )
      return;
  } catch {
    // It is missing, or cannot be derived from.
  }
  if (original) say("locked", "XMLHttpRequest");
}

/** Leaves another library's wrapper around ours in place. */
export function restoreXhr(isNeeded = !stays) {
  if (isNeeded && patched && window.XMLHttpRequest === patched)
    Reflect.set(window, "XMLHttpRequest", original);
}

function derive() {
  class derived extends original {
    constructor() {
      super();
      for (const type of EVENTS) super.addEventListener(type, gate, true);
    }

    /** @param {string} method @param {string | URL} url @param {any[]} rest */
    open(method, url, ...rest) {
      super.open(.../** @type {[any, any]} */ (/** @type {any} */ (arguments)));
      const earlier = exchanges.get(this);
      if (earlier) {
        end(this, earlier);
        earlier.held = [];
        if (!decided.has(this)) super.withCredentials = false;
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
      const exchange = ready(this);
      super.setRequestHeader(name, value);
      exchange?.call.headers.append(name, value);
    }

    /** @param {Document | XMLHttpRequestBodyInit | null} [body] */
    send(body) {
      const exchange = ready(this);
      if (!exchange) {
        // A listener there has the browser ask other origins for permission.
        if (watched.has(this))
          for (const type of EVENTS) super.upload.removeEventListener(type, hush, true);
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
          exchange.isQuiet = !isFirst;
          exchange.reopen();
          headers.forEach((value, name) => super.setRequestHeader(name, value));
          if (addCredentials && !decided.has(this)) super.withCredentials = true;
          if (timeout && !isFirst) {
            exchange.timeout = timeout;
            this.timeout = Math.max(1, deadline - performance.now());
          }
          exchange.isFlying = true;
          super.send(body);
          exchange.isQuiet = false;
        });
      const settled = (/** @type {unknown} */ result) => conclude(this, exchange, result);
      exchange.isPending = true;
      if (timeout)
        exchange.timer = setTimeout(
          () => exchange.isFlying || fail(this, exchange, "timeout"),
          timeout,
        );
      intercept({ ...exchange.call, send }).then(settled, settled);
      isFirst = false;
      if (!exchange.isFlying) this.dispatchEvent(new ProgressEvent("loadstart"));
    }

    abort() {
      const exchange = exchanges.get(this);
      if (exchange?.isPending && !exchange.isFlying) {
        fail(this, exchange, "abort");
      } else {
        if (exchange) {
          end(this, exchange);
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
      if (exchange && `${name}`.toLowerCase() === MARK) return "true";
      if (exchange && exchange.shown < 2) return null;
      return exchange?.instead ? exchange.instead.headers.get(name) : super.getResponseHeader(name);
    }

    getAllResponseHeaders() {
      const lines = super.getAllResponseHeaders();
      const exchange = exchanges.get(this);
      if (!exchange) return lines;
      const { instead, shown } = exchange;
      return `${shown < 2 ? "" : (instead?.lines ?? lines)}${MARK}: true\r\n`;
    }

    get upload() {
      const upload = super.upload;
      exchanges.set(upload, this);
      watched.add(this);
      for (const type of EVENTS) upload.addEventListener(type, hush, true);
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
      decided.add(this);
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
        return visible(this, name);
      },
    });
  }
  return Object.assign(derived, { [FLAG]: true });
}
