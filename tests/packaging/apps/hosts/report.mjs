// This is what a program finds that imports the package where there is no window. As a module of
// its own, so that it knows what was there before.

const before = Object.getOwnPropertyNames(globalThis);
const { fetch } = globalThis;

/** Names of globals that are not as they were. */
function changed() {
  const now = Object.getOwnPropertyNames(globalThis);
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

export async function report() {
  const passerby = await import("passerby");
  const { default: Session } = await import("passerby/recipe/session");
  return {
    onImport: changed(),
    snapshot: passerby.getSnapshot(),
    exists: await attempt(() => passerby.doesSessionExist()),
    fetch: await attempt(() => passerby.fetch("http://localhost/")),
    recipe: await attempt(() => Session.getUserId()),
    init: await attempt(() => passerby.init({ apiDomain: "http://localhost:3000" })),
    disposed: await attempt(() => passerby.dispose()),
    afterInit: changed(),
  };
}
