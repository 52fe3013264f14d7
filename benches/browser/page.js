// Functions that the benchmark calls in a page, as an app would. `natives` are the browser's own,
// taken before the SDK came.

import { firstRequest, questions, start } from "contestant";

const { natives } = globalThis;

/** Milliseconds that it takes. */
async function time(work) {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const ask = (XHR, method, url, body) =>
  new Promise((done, fail) => {
    const xhr = new XHR();
    xhr.open(method, url);
    if (body) xhr.setRequestHeader("content-type", "application/json");
    xhr.onload = () => done(xhr.responseText);
    xhr.onerror = () => fail(new Error(`no answer of ${url}`));
    xhr.send(body);
  });

const json = (method) =>
  method === "POST"
    ? { method, headers: { "content-type": "application/json" }, body: '{"plant":1}' }
    : undefined;

/** Fails as the benchmark does. */
function expect(condition, what) {
  if (!condition) throw new Error(`the work was not done: ${what}`);
}

globalThis.bench = {
  start,

  signIn: async () => (await fetch("/login?user=ada", { method: "POST" })).text(),

  /** Microseconds of one call. */
  async question(name, count, expected) {
    let answer;
    const took = await time(async () => {
      for (let call = 0; call < count; call++) answer = await questions[name]();
    });
    const said = JSON.stringify(answer);
    expect(said.includes(expected), `${name} answers ${said}`);
    return (took * 1000) / count;
  },

  /**
   * Microseconds that a request over the stub takes more than the stub alone, and whether the SDK
   * touched it.
   */
  async fetches(method, url, count) {
    const { stub } = natives;
    const batch = async (send) => {
      const before = stub.calls;
      const took = await time(async () => {
        for (let call = 0; call < count; call++) {
          const { status } = await send(url, json(method));
          expect(status === 200, `status ${status}`);
        }
      });
      expect(stub.calls - before === count, `${stub.calls - before} requests instead of ${count}`);
      return (took * 1000) / count;
    };
    const raw = await batch(stub);
    const with_ = await batch((url, init) => fetch(url, init));
    return { overhead: with_ - raw, touched: stub.touched };
  },

  /**
   * The same for XMLHttpRequest, over the loopback network, one request of each kind after the
   * other.
   */
  async xhrs(method, url, count) {
    const [raw, patched] = [[], []];
    const body = json(method)?.body;
    for (let call = 0; call < count; call++) {
      for (const [XHR, times] of [
        [natives.XMLHttpRequest, raw],
        [XMLHttpRequest, patched],
      ]) {
        let answer;
        times.push(await time(async () => (answer = await ask(XHR, method, url, body))));
        expect(answer === "{}", `the answer ${answer}`);
      }
    }
    return (middle(patched) - middle(raw)) * 1000;
  },

  /** Milliseconds from `init` to the first answer of the API. */
  async newVisitor() {
    let id;
    const took = await time(async () => {
      start();
      id = await firstRequest();
    });
    expect(/^[0-9a-f-]{36}$/.test(id), `no id but ${id}`);
    return took;
  },

  expire: async () => (await fetch("/expire", { method: "POST" })).text(),

  /**
   * Requests at once, from that moment on; the moment of the last answer. Each has a URL of its
   * own: browsers ask for one URL once at a time.
   */
  async atOnce(count, moment, url, expected) {
    await new Promise((done) => setTimeout(done, Math.max(0, moment - Date.now())));
    const answers = await Promise.all(
      Array.from({ length: count }, async (_, number) => {
        const response = await fetch(`${url}/${number}`);
        return `${response.status} ${await response.text()}`;
      }),
    );
    const end = performance.timeOrigin + performance.now();
    expect(
      answers.every((answer) => answer === expected),
      `answers ${[...new Set(answers)]}`,
    );
    return end;
  },

  /** One after the other, over the network or the stub. */
  async inTurn(count, url) {
    for (let call = 0; call < count; call++) {
      const response = await fetch(url);
      expect(
        response.status === 200 && (await response.text()) === "{}",
        `status ${response.status}`,
      );
    }
  },
};
