// Login, expiry, refresh and sign-out in the oldest Chromium that is supported. No driver runs a
// browser that is so old, so the page acts by itself, and tells the server at the end what it saw.

const { init, default: session } = supertokens;
const events = [];
const post = (path, body) =>
  fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
const xhr = (path) =>
  new Promise((done) => {
    const request = new XMLHttpRequest();
    request.onloadend = () => done(request.status);
    request.open("GET", path);
    request.send();
  });

async function visit() {
  const native = fetch;
  init({
    apiDomain: location.origin,
    anonymous: {},
    onHandleEvent: ({ action }) => events.push(action),
  });
  const isPatched = fetch !== native;
  const guest = await (await fetch("/api/me")).json();
  const login = (await post("/api/login", { name: "Ada", password: "windowsill" })).status;
  const user = await session.getUserId();
  await post("/api/demo/expire");
  const statuses = await Promise.all([
    fetch("/api/account").then(({ status }) => status),
    xhr("/api/account?again"),
  ]);
  await session.signOut();
  const { state, anonymousId } = session.getSnapshot();
  const found = (await session.diagnose()).map(({ code }) => code);
  return {
    version: /Chrome\/(\d+)/.exec(navigator.userAgent)[1],
    isPatched,
    kind: guest.kind,
    login,
    user,
    statuses,
    state,
    isSame: anonymousId === guest.anonymousId,
    found,
    events: events.filter((name) => name !== "ACCESS_TOKEN_PAYLOAD_UPDATED"),
  };
}

visit().then(
  (seen) => post("/result", seen),
  (error) => post("/result", { error: `${error}\n${error.stack}` }),
);
