// A visitor of an app in a frame. The server is told at the end what was seen.

const { init, default: session } = supertokens;
const events = [];
const post = (path, body) =>
  fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });

/** Whether the browser keeps such a cookie here. */
function keeps(attributes) {
  document.cookie = `check=1;path=/;samesite=none;secure${attributes}`;
  const isKept = document.cookie.includes("check=1");
  document.cookie = `check=;path=/;samesite=none;secure${attributes};max-age=0`;
  return isKept;
}

async function visit() {
  const kept = [keeps(""), keeps(";partitioned")];
  init({
    apiDomain: location.origin,
    anonymous: {},
    isInIframe: true,
    tokenTransferMethod: new URLSearchParams(location.search).get("mode"),
    onHandleEvent: ({ action }) => events.push(action),
  });
  const guest = await (await fetch("/api/me")).json();
  const login = (await post("/api/login", { name: "Ada", password: "windowsill" })).status;
  const { state } = session.getSnapshot();
  await post("/api/demo/expire");
  const account = (await fetch("/api/account")).status;
  await session.signOut();
  const end = session.getSnapshot();
  const found = (await session.diagnose()).map(({ code }) => code);
  const names = document.cookie.split("; ").map((pair) => pair.split("=")[0]);
  return {
    kept,
    kind: guest.kind,
    login,
    state,
    account,
    end: end.state,
    isSame: end.anonymousId === guest.anonymousId,
    found,
    isUserGone: !names.includes("sFrontToken") && !names.includes("st-access-token"),
    events: events.filter((name) => name !== "ACCESS_TOKEN_PAYLOAD_UPDATED"),
    problems,
  };
}

visit()
  .catch((error) => ({ error: `${error}\n${error.stack}` }))
  .then((seen) => fetch("/result", { method: "POST", body: JSON.stringify(seen) }));
