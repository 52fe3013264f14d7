// Scripted exchanges over XMLHttpRequest, and the trace of everything that the caller can see of
// each.

import * as passerby from "/passerby.js";

const TYPES = [
  "readystatechange",
  "loadstart",
  "progress",
  "abort",
  "error",
  "load",
  "timeout",
  "loadend",
];
/** Milliseconds; everything that scripts wait for is shorter. */
const QUIET = 160;
const LIMIT = 3000;
const later = (milliseconds, run) => setTimeout(run, milliseconds);
const get = (xhr, path = "echo") => {
  xhr.open("GET", `/x/${path}`);
  xhr.send();
};
const as = (type, path) => (xhr) => {
  xhr.open("GET", `/x/${path}`);
  xhr.responseType = type;
  xhr.send();
};
const post = (makeBody, prepare) => (xhr) => {
  xhr.open("POST", "/x/echo");
  prepare?.(xhr);
  xhr.send(makeBody());
};
const form = () => {
  const data = new FormData();
  data.set("a", "1");
  return data;
};
/** `run` when the caller sees this state. */
const at = (state, path, run) => (xhr, log) => {
  xhr.addEventListener(
    "readystatechange",
    () => xhr.readyState === state && !xhr.isDone && ((xhr.isDone = true), run(xhr, log)),
  );
  get(xhr, path);
};
const on = (type, path, run) => (xhr, log) => {
  xhr.addEventListener(type, () => xhr.isDone || ((xhr.isDone = true), run(xhr, log)));
  get(xhr, path);
};
const abort = (xhr) => xhr.abort();
const attempt = (log, run) => {
  try {
    log.push(["returned", run()]);
  } catch (error) {
    log.push(["thrown", error.name]);
  }
};

/** Each gets an object with listeners for everything, and a log for what it finds out besides. */
const scripts = {
  GET: (xhr) => get(xhr),
  HEAD: (xhr) => (xhr.open("HEAD", "/x/echo"), xhr.send()),
  DELETE: (xhr) => (xhr.open("DELETE", "/x/echo"), xhr.send(null)),
  "a method in small letters": (xhr) => (xhr.open("put", "/x/echo"), xhr.send("body")),
  "POST of text": post(() => "text"),
  "POST of a form": post(() => new URLSearchParams({ a: "1" })),
  "POST of a blob": post(() => new Blob(["<a/>"], { type: "text/xml" })),
  "POST of bytes": post(() => new Uint8Array([65, 66]).subarray(1)),
  "POST of a document": post(() => new DOMParser().parseFromString("<a>ä</a>", "text/xml")),
  "POST of nothing": post(() => undefined),
  "POST of parts": (xhr) => (xhr.open("POST", "/x/count"), xhr.send(form())),
  "headers set twice, in other spelling, and a forbidden one": post(
    () => "{}",
    (xhr) => {
      xhr.setRequestHeader("X-A", "1");
      xhr.setRequestHeader("x-a", " 2 ");
      xhr.setRequestHeader("content-TYPE", "application/json");
    },
  ),
  "a URL object": (xhr) => (xhr.open("GET", new URL("/x/echo", location)), xhr.send()),
  404: (xhr) => get(xhr, "missing"),
  "500 with a text of its own": (xhr) => get(xhr, "broken"),
  204: (xhr) => get(xhr, "empty"),
  "a redirect": (xhr) => get(xhr, "moved"),
  "a redirect of a body": (xhr) => (xhr.open("POST", "/x/kept"), xhr.send("kept")),
  "a large answer": (xhr) => get(xhr, "large"),
  "a slow answer": (xhr) => get(xhr, "slow"),
  text: as("text", "json"),
  json: as("json", "json"),
  "json that is not valid": as("json", "not-json"),
  bytes: as("arraybuffer", "latin"),
  "a blob": as("blob", "html"),
  "a document": as("document", "html"),
  "XML without asking": (xhr) => get(xhr, "xml"),
  "another MIME type": (xhr) => {
    xhr.open("GET", "/x/latin");
    xhr.overrideMimeType("text/plain; charset=iso-8859-1");
    xhr.send();
  },
  "a server that hangs up": (xhr) => get(xhr, "cut"),
  "a server that hangs up in the middle": (xhr) => get(xhr, "torn"),
  "upload with progress": (xhr, log) => {
    listen(xhr.upload, log, xhr);
    xhr.open("POST", "/x/count");
    xhr.send("0123456789".repeat(30_000));
  },
  "upload of a body that is empty": (xhr, log) => {
    listen(xhr.upload, log, xhr);
    xhr.open("POST", "/x/count");
    xhr.send();
  },
  "time-out": (xhr) => (xhr.open("GET", "/x/silent"), (xhr.timeout = 30), xhr.send()),
  // The answer has to begin before that, after two others where the session has expired.
  "time-out in the middle of the answer": (xhr) => (
    xhr.open("GET", "/x/stalled"),
    (xhr.timeout = 1000),
    xhr.send()
  ),
  "time-out set before open": (xhr) => ((xhr.timeout = 30), get(xhr, "silent")),
  "time-out that is long enough": (xhr, log) => {
    xhr.timeout = 2000;
    xhr.addEventListener("loadend", () => log.push(["timeout", xhr.timeout]));
    get(xhr);
  },
  "abort of what was never opened": abort,
  "abort before send": (xhr) => (xhr.open("GET", "/x/echo"), xhr.abort()),
  "abort right after send": (xhr) => (get(xhr), xhr.abort()),
  "abort in loadstart": on("loadstart", "echo", abort),
  "abort while nothing comes": (xhr) => (get(xhr, "silent"), later(30, () => xhr.abort())),
  "abort while nothing comes, for long": (xhr) => (
    get(xhr, "silent"),
    later(140, () => xhr.abort())
  ),
  "abort at the headers": at(2, "slow", abort),
  "abort in the body": at(3, "stalled", abort),
  "abort at the end": at(4, "echo", abort),
  "abort in load": on("load", "echo", abort),
  "abort in loadend": on("loadend", "echo", abort),
  "abort twice": (xhr) => (get(xhr), xhr.abort(), xhr.abort()),
  "abort, then once more": (xhr) => (get(xhr, "silent"), xhr.abort(), get(xhr)),
  "abort in the abort event": (xhr) => {
    xhr.addEventListener("abort", abort.bind(null, xhr));
    get(xhr, "silent");
    later(20, () => xhr.abort());
  },
  "open in flight": (xhr) => (get(xhr, "silent"), later(30, () => get(xhr))),
  "open at the end": at(4, "echo", (xhr) => get(xhr, "missing")),
  "open in loadend": on("loadend", "echo", (xhr) => get(xhr, "missing")),
  "a second open before send": (xhr) => (
    xhr.open("POST", "/x/missing"),
    xhr.setRequestHeader("x-a", "1"),
    get(xhr)
  ),
  "a method that is not valid": (xhr, log) => attempt(log, () => xhr.open("GE T", "/x/echo")),
  "a forbidden method": (xhr, log) => attempt(log, () => xhr.open("TRACE", "/x/echo")),
  "a URL that is not valid": (xhr, log) => attempt(log, () => xhr.open("GET", "http://[")),
  "open without arguments": (xhr, log) => attempt(log, () => xhr.open("GET")),
  "open of something bad in flight": (xhr, log) => (
    get(xhr, "slow"),
    attempt(log, () => xhr.open("GET", "http://["))
  ),
  "send before open": (xhr, log) => attempt(log, () => xhr.send()),
  "send twice": (xhr, log) => (get(xhr), attempt(log, () => xhr.send())),
  "send after the end": on("loadend", "echo", (xhr, log) => attempt(log, () => xhr.send())),
  "a header before open": (xhr, log) => attempt(log, () => xhr.setRequestHeader("x-a", "1")),
  "a header after send": (xhr, log) => (
    get(xhr),
    attempt(log, () => xhr.setRequestHeader("x-a", "1"))
  ),
  "a header that is not valid": (xhr, log) => {
    xhr.open("GET", "/x/echo");
    attempt(log, () => xhr.setRequestHeader("x a", "1"));
    attempt(log, () => xhr.setRequestHeader("x-a", "1\n2"));
    xhr.send();
  },
  "text of something else": on("load", "json", (xhr, log) =>
    attempt(log, () => xhr.responseText.length),
  ),
  "text of JSON": (xhr, log) => {
    xhr.addEventListener("load", () => {
      attempt(log, () => xhr.responseText);
      attempt(log, () => xhr.responseXML);
      attempt(log, () => (xhr.responseType = "text"));
    });
    as("json", "json")(xhr);
  },
  "synchronous, against all advice": (xhr, log) => {
    xhr.open("GET", "/x/echo", false);
    log.push(["state", xhr.readyState]);
    xhr.send();
    log.push(["sent", xhr.readyState, xhr.status]);
  },
  "what is undefined is false": (xhr) => (xhr.open("GET", "/x/echo", undefined), xhr.send()),
  "once, capture, signal, objects": (xhr, log) => {
    const stop = new AbortController();
    const note = (name) => () => log.push([name, xhr.readyState]);
    xhr.addEventListener("readystatechange", note("once"), { once: true });
    xhr.addEventListener("load", note("capturing"), { capture: true });
    xhr.addEventListener("load", note("bubbling"));
    xhr.addEventListener("load", note("with signal"), { signal: stop.signal });
    xhr.addEventListener("loadend", { handleEvent: note("object") });
    const twice = note("twice the same");
    xhr.addEventListener("loadend", twice);
    xhr.addEventListener("loadend", twice);
    const removed = note("removed");
    xhr.addEventListener("load", removed);
    xhr.removeEventListener("load", removed);
    xhr.addEventListener("load", (event) => event.stopImmediatePropagation());
    xhr.addEventListener("load", note("never"));
    xhr.onload = note("property, assigned later");
    xhr.addEventListener("progress", () => stop.abort());
    get(xhr);
  },
  "a listener that throws": (xhr, log) => {
    const onError = (event) => (
      event.preventDefault(),
      log.push(["uncaught", event.error.message])
    );
    addEventListener("error", onError);
    xhr.addEventListener("readystatechange", () => {
      throw new Error("a bug of the app");
    });
    xhr.addEventListener("loadend", () => later(0, () => removeEventListener("error", onError)));
    get(xhr);
  },
};

function listen(target, log, xhr) {
  for (const type of TYPES) {
    const note = (how) =>
      function (event) {
        const { loaded, total, lengthComputable, bubbles, cancelable } = event;
        const isRight =
          this === target &&
          event.target === target &&
          event.currentTarget === target &&
          event.type === type;
        log.push([
          target === xhr ? type : `upload ${type}`,
          how,
          ...(target === xhr ? [xhr.readyState, xhr.status] : []),
          loaded === undefined ? "Event" : `${loaded}/${total}${lengthComputable ? "" : "?"}`,
          `${Object.getPrototypeOf(event).constructor.name} ${isRight} ${bubbles} ${cancelable}`,
        ]);
      };
    if (`on${type}` in target) target[`on${type}`] = note("on");
    target.addEventListener(type, note("listener"));
  }
}

/** The state when all is over. */
async function result(xhr) {
  let response = `nothing`;
  try {
    ({ response } = xhr);
  } catch (error) {
    // Firefox, of a request that failed on an object that had one before.
    response = `thrown ${error.name}`;
  }
  if (response instanceof Document)
    response = `document ${new XMLSerializer().serializeToString(response)}`;
  if (response instanceof ArrayBuffer) response = `bytes ${new Uint8Array(response)}`;
  if (response instanceof Blob) response = `blob ${response.type} ${await response.text()}`;
  if (response?.length > 1000) response = response.length;
  const { readyState, status, statusText, responseURL, responseType } = xhr;
  const headers = xhr
    .getAllResponseHeaders()
    .replace(
      /^(date|x-supertokens-xhr-intercepted|keep-alive|connection|transfer-encoding): .*\r\n/gm,
      "",
    );
  const two = xhr.getResponseHeader("X-Two");
  const xml =
    responseType === "" || responseType === "document"
      ? xhr.responseXML?.documentElement.nodeName
      : undefined;
  return {
    readyState,
    status,
    statusText,
    responseURL,
    responseType,
    response,
    headers,
    two,
    xml,
    tag: String(xhr),
  };
}

/**
 * How many progress events there are, whether the last comes just before or just after DONE is
 * entered, and how often LOADING is told of depends on how packets fall.
 */
function tidy(log) {
  const key = ([type, how, state]) =>
    /progress$/.test(type) ? type + how : `${type === "readystatechange" && state}${how}`;
  return log
    .filter((entry, i) => {
      const [type, , state] = entry;
      if (/progress$/.test(type))
        return !log.slice(i + 1).some((other) => key(other) === key(entry));
      return (
        type !== "readystatechange" ||
        state !== 3 ||
        !log.slice(0, i).some((other) => key(other) === key(entry))
      );
    })
    .map((entry) => (entry[0] === "progress" ? entry.with(2, 3) : entry));
}

const RESET = {
  native: { access: "new" },
  /** Nothing to refresh, nothing to wait for. */
  none: { access: "new", "st-last-access-token-update": "1" },
  /** Asks the server before the first request. */
  unknown: {},
  /** A user session whose access token has expired. */
  expired: {
    access: "old",
    "st-last-access-token-update": "1",
    sFrontToken: btoa('{"uid":"ada","ate":1,"up":{"sessionHandle":"s1","iat":1}}'),
  },
};

async function run(name, mode) {
  passerby.dispose();
  for (const cookie of document.cookie.split("; "))
    document.cookie = `${cookie.split("=")[0]}=; path=/; max-age=0`;
  for (const [key, value] of Object.entries(RESET[mode]))
    document.cookie = `${key}=${value}; path=/`;
  if (mode !== "native") passerby.init({ apiDomain: location.origin });
  const xhr = new XMLHttpRequest();
  const log = [];
  listen(xhr, log, xhr);
  const before = log.length;
  scripts[name](xhr, log);
  log.push(["script over", xhr.readyState]);
  // Over when it is said to be, and nothing more has come for a while.
  const isOver = () =>
    [0, 4].includes(xhr.readyState) || !log.some(([type]) => type === "loadstart");
  const limit = performance.now() + LIMIT;
  for (let length = before; length !== log.length || (!isOver() && performance.now() < limit);) {
    length = log.length;
    await new Promise((done) => later(QUIET, done));
  }
  return { log: tidy(log), result: await result(xhr) };
}

Object.assign(window, { passerby, run, names: Object.keys(scripts) });
