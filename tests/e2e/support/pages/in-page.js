// The contents of the bare test page: the SDK, and a list of its events with what an app learns
// inside of the callback.

import * as passerby from "/passerby.js";

const events = [];

/** Call it with the app's options; `undefined` leaves one out. */
function start(options) {
  passerby.init({ apiDomain: location.origin, onHandleEvent: record, ...options });
}

function record({ action, sessionExpiredOrRevoked, ...rest }) {
  const { state, anonymousId } = passerby.getSnapshot();
  const name =
    sessionExpiredOrRevoked === undefined ? action : `${action}(${sessionExpiredOrRevoked})`;
  const entry = { name, state, anonymousId, keys: Object.keys(rest) };
  events.push(entry);
  // The token may have expired just now, and asking would refresh it.
  if (action !== "ACCESS_TOKEN_PAYLOAD_UPDATED") entry.answers = ask();
}

async function ask() {
  const [exists, isAnonymous, anonymousId] = await Promise.all([
    passerby.doesSessionExist(),
    passerby.isAnonymous(),
    passerby.getAnonymousId(),
  ]);
  return { exists, isAnonymous, anonymousId };
}

/** The outcome of a request as the app saw it: the response, or the error. */
async function request(...fetchArguments) {
  try {
    const response = await fetch(...fetchArguments);
    const text = await response.text();
    let body = text;
    try {
      body = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: response.status, path: new URL(response.url || location).pathname, body };
  } catch (error) {
    return describe(error);
  }
}

const XHR_EVENTS = ["loadstart", "progress", "abort", "error", "load", "timeout", "loadend"];

/**
 * As `request`, over XMLHttpRequest, and with the `trace` of what its caller saw: states as
 * numbers, and events.
 */
async function xhr(path, { method = "GET", headers = {}, body, prepare } = {}) {
  const xhr = new XMLHttpRequest();
  const trace = [];
  xhr.onreadystatechange = () => trace.at(-1) === xhr.readyState || trace.push(xhr.readyState);
  for (const type of XHR_EVENTS)
    xhr.addEventListener(type, () => trace.at(-1) === type || trace.push(type));
  xhr.open(method, path);
  for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
  prepare?.(xhr);
  xhr.send(body);
  await new Promise((done) => (xhr.onloadend = done));
  const { status, response, responseURL } = xhr;
  let content = response;
  try {
    content = JSON.parse(response);
  } catch {
    // Not every answer is JSON.
  }
  return {
    status,
    path: responseURL && new URL(responseURL).pathname,
    body: content,
    trace: trace.join(" "),
  };
}

function describe(error) {
  const { name, code, message } = error;
  return code === undefined || error instanceof DOMException
    ? { error: name, message }
    : { error: name, code, message };
}

/** The result of a function of the SDK. */
async function attempt(name, ...values) {
  try {
    return { value: await passerby[name](...values) };
  } catch (error) {
    return describe(error);
  }
}

Object.assign(window, {
  passerby,
  harness: { events, start, record, request, xhr, attempt, describe },
});
