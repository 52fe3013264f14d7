import { compareTraces } from "./support/traces.mjs";

// Its own class for progress events, of which a script cannot make any.
const sameClass = (trace) =>
  trace &&
  JSON.parse(JSON.stringify(trace).replaceAll("XMLHttpRequestProgressEvent", "ProgressEvent"));

// Aborted or opened anew within its last events, an object shows the rest of them in an order that
// each browser has of its own. Ours is Chromium's.
const order = [
  "abort at the headers",
  "abort in the body",
  "abort at the end",
  "abort in load",
  "abort in loadend",
  "open at the end",
  "open in loadend",
];
// After a time-out only this browser still knows the address.
const address = ["time-out", "time-out set before open"];

await compareTraces(
  "webkit",
  { none: order, unknown: order, expired: [...order, ...address] },
  sameClass,
);
