// @ts-check
// One tab with the bare test page: drives the SDK as an app would, and tells what the app saw.

export class Tab {
  page;

  constructor(page) {
    this.page = page;
  }

  /** Runs code in the page, which has `passerby` and `harness` (`pages/in-page.js`). */
  run(code, value) {
    return this.page.evaluate(code, value);
  }

  /** The same tab after the visitor pressed F5, and the SDK started with these options. */
  async reload(options) {
    await this.page.reload();
    await this.init(options);
  }

  init(options) {
    return this.run((options) => harness.start(options), options);
  }

  /** `{ status, path, body }` as the app's caller of `fetch` gets it, or `{ error, message }`. */
  fetch(path, init) {
    return this.run(([path, init]) => harness.request(path, init), [path, init]);
  }

  post(path, body) {
    const headers = { "content-type": "application/json" };
    return this.fetch(path, {
      method: "POST",
      ...(body && { headers, body: JSON.stringify(body) }),
    });
  }

  /** So many requests that start in the same moment. */
  fetchAll(count, path) {
    return this.run(
      ([count, path]) => Promise.all(Array.from({ length: count }, () => harness.request(path))),
      [count, path],
    );
  }

  /** As `fetch`, over XMLHttpRequest, with the `trace` of states and events. */
  xhr(path, init) {
    return this.run(([path, init]) => harness.xhr(path, init), [path, init]);
  }

  /** `{ value }` that a function of the SDK came to, or `{ error, code, message }`. */
  call(name, ...values) {
    return this.run(([name, values]) => harness.attempt(name, ...values), [name, values]);
  }

  snapshot() {
    return this.run(() => passerby.getSnapshot());
  }

  /** The events so far, in order, each with what an app learns inside of the callback. */
  events() {
    return this.run(() =>
      Promise.all(
        harness.events.map(async (event) => ({ ...event, answers: await event.answers })),
      ),
    );
  }

  /** Their names alone, such as `UNAUTHORISED(true)`. */
  async eventNames() {
    return (await this.events()).map((event) => event.name);
  }

  forgetEvents() {
    return this.run(() => void harness.events.splice(0));
  }

  // --- what visitors of the shop do ---

  signIn(name) {
    return this.post("/api/login", { name, password: "windowsill" });
  }

  /** The access token has expired by now, in the cookie and in the front token. */
  expire() {
    return this.post("/api/demo/expire");
  }
}

/**
 * An event with what the app has to learn inside of its callback: the visitor is anonymous already.
 */
export const heardByGuest = (name, anonymousId) => ({
  name,
  state: "anonymous",
  anonymousId,
  keys: ["userContext"],
  answers: { exists: true, isAnonymous: true, anonymousId },
});

/** The same where there is no session at all. */
export const heardByNobody = (name) => ({
  name,
  state: "none",
  anonymousId: undefined,
  keys: ["userContext"],
  answers: { exists: false, isAnonymous: false, anonymousId: undefined },
});
