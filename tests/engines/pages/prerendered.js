// Tells what its first request came to while nobody looked, and what it knows when somebody does.

const { init, default: session } = supertokens;
const { search } = location;
const tell = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) });
const wasReadied = document.prerendering;
const told = [];
const events = [];

const begin = performance.now();
init({
  apiDomain: location.origin,
  onHandleEvent: ({ action }) => events.push(action),
  ...(!search.includes("unnamed") && { anonymous: {} }),
});
session.subscribe(() => told.push(session.getSnapshot().state));
const path = search.includes("customer") ? "/api/account" : "/api/me";
const [first, second] = await Promise.all([fetch(path), fetch(`${path}?again`)]);
const before = {
  wasReadied,
  isReadied: document.prerendering,
  time: performance.now() - begin,
  statuses: [first.status, second.status],
  ids: [await first.json(), await second.json()].map(({ anonymousId }) => anonymousId),
  state: session.getSnapshot().state,
};
const seen = new Promise((done) => {
  if (document.prerendering) document.addEventListener("prerenderingchange", done);
  else done();
});
const toldBefore = told.length;
await tell("/notes", "ready");
await seen;
// Nobody asks: subscribers are told.
const end = performance.now() + 3000;
while (search.includes("customer") && told.at(-1) !== "anonymous" && performance.now() < end)
  await new Promise((done) => setTimeout(done, 50));
const { state } = session.getSnapshot();
const toldSince = told.slice(toldBefore);
const after = await (await fetch("/api/me?looked-at")).json();
await tell("/result", {
  ...before,
  toldSince: toldSince.slice(-1),
  stateAfter: state,
  kindAfter: after.kind,
  idAfter: after.anonymousId,
  events,
});
