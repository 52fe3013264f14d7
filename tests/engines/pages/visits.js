// A visitor who goes from one website that shows the app to another, and back. Each page leaves a
// note of the state that the SDK tells, before and after it hears from the server.

const { init, default: session } = supertokens;
const query = new URLSearchParams(location.search);
const step = Number(query.get("step"));

const tell = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) });

async function visit() {
  init({
    apiDomain: location.origin,
    anonymous: {},
    isInIframe: true,
    tokenTransferMethod: query.get("mode"),
  });
  const before = session.getSnapshot().state;
  if (step === 0)
    await fetch("/api/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "Ada", password: "windowsill" }),
    });
  const { kind, anonymousId } = await (await fetch("/api/me")).json();
  const note = { before, body: { kind, anonymousId }, after: session.getSnapshot().state };
  const notes = await (await tell("/notes", note)).json();
  // The page around this frame goes to that address next. It is this machine's, too, but another
  // website to the browser.
  if (step < 3) parent.postMessage(step % 2 ? "127.0.0.1" : "127.0.0.2", "*");
  else await tell("/result", { notes, problems });
}

visit().catch((error) => tell("/result", { error: `${error}\n${error.stack}` }));
