import { compareTraces } from "./support/traces.mjs";

// Aborted or opened anew within its last events, an object shows the rest of them in an order that
// each browser has of its own. Ours is Chromium's.
const order = ["abort at the end", "abort in load", "abort in loadend", "open at the end"];
// After a time-out only this browser still knows the address.
const address = ["time-out", "time-out set before open"];
// The text that it puts between the parts has another length each time.
const always = [...order, "POST of parts"];

await compareTraces("firefox", {
  none: always,
  unknown: [...always, ...address],
  expired: [...always, ...address],
});
