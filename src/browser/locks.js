// Locks that are not the browser's: the app's own, or transactions where it has none (pages that
// are no secure context, and browsers before Web Locks). Few apps need them, so the npm package
// loads this when it does.

/**
 * Does what `navigator.locks.request` does: `held` is called once nobody else in any tab of this
 * origin holds that name, which it holds until its promise is fulfilled. Settles without that when
 * the lock cannot be had.
 * @param {string} name
 * @param {{
 *   signal: AbortSignal,
 *   factory?: (typeof import("./handlers.js").handlers)["lock"],
 *   timeout: number,
 * }} options milliseconds
 * @param {() => Promise<unknown>} held
 */
export async function request(name, { signal, factory, timeout }, held) {
  if (!factory) return transact(name, signal, held);
  const lock = await factory();
  if (!(await lock.acquireLock(name, timeout))) return;
  if (!signal.aborted) await held();
  await lock.releaseLock(name);
}

/** @param {string} name @param {AbortSignal} signal @param {() => Promise<unknown>} held */
function transact(name, signal, held) {
  return new Promise((done, fail) => {
    const opening = indexedDB.open(name);
    opening.onupgradeneeded = () => opening.result.createObjectStore(name);
    opening.onerror = fail;
    opening.onsuccess = () => {
      const database = opening.result;
      const store = database.transaction(name, "readwrite").objectStore(name);
      let isOver = false;
      // A transaction lasts as long as something is asked of it, and until then no other one
      // begins, unless its tab is gone.
      const hold = () => {
        if (!isOver) return (store.get(0).onsuccess = hold);
        database.close();
        // Waits for the other tabs, so that the last one leaves nothing behind.
        indexedDB.deleteDatabase(name);
        done(undefined);
      };
      store.get(0).onsuccess = () => {
        isOver = signal.aborted;
        if (!isOver) void held().then(() => (isOver = true));
        hold();
      };
    };
  });
}
