// Loaded before the package, by `--require`: what was there before it.
const before = Object.getOwnPropertyNames(globalThis);
const { fetch } = globalThis;

/** Names of globals that are not as they were. */
function changed() {
  const now = Object.getOwnPropertyNames(globalThis).filter((name) => name !== "report");
  const other = [
    ...now.filter((name) => !before.includes(name)),
    ...before.filter((name) => !now.includes(name)),
  ];
  return globalThis.fetch === fetch ? other : [...other, "fetch"];
}

async function attempt(call) {
  try {
    return { value: await call() };
  } catch ({ name, code }) {
    return { name, code };
  }
}

globalThis.report = async (passerby, Session, { PrimitiveClaim }) => {
  const claim = new PrimitiveClaim({ id: "role", refresh: async () => {} });
  const result = {
    onImport: changed(),
    snapshot: passerby.getSnapshot(),
    claim: claim.getValueFromPayload({ role: { v: "admin", t: 1 } }),
    exists: await attempt(() => passerby.doesSessionExist()),
    fetch: await attempt(() => passerby.fetch("http://localhost/")),
    recipe: await attempt(() => Session.getUserId()),
    init: await attempt(() => passerby.init({ apiDomain: "http://localhost:3000" })),
    afterInit: changed(),
  };
  console.log(JSON.stringify(result));
};
