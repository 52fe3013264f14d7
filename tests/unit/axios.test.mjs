// axios with a session where no patched function carries its requests, against a real server. The
// engine is made by hand: it adds what the real one adds, and refreshes once after a 401.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, beforeEach, test } from "node:test";
import { Readable } from "node:stream";
import axios, { Axios } from "axios";
import { load } from "./support/load.mjs";

const { intercepted } = await load("axios.ts");

// --- the server ----------------------------------------------------------------------------------

const seen = [];
/** How many 401 are left. */
let refusals = 0;
const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray()).toString();
  const { method, url, headers } = request;
  seen.push({ method, url, headers, body });
  const status =
    refusals-- > 0 ? 401 : Number(new URL(url, "http://x").searchParams.get("status") ?? 200);
  response.writeHead(status, {
    "content-type": "application/json",
    "front-token": `t${seen.length}`,
    "set-cookie": ["a=1", "b=2"],
  });
  response.end(JSON.stringify({ body, claimValidationErrors: [{ id: "c" }] }));
}).listen(0, "127.0.0.1");
await once(server, "listening");
after(() => server.close());
const ORIGIN = `http://127.0.0.1:${server.address().port}`;
const STRANGER = ORIGIN.replace("127.0.0.1", "localhost");

// --- the engine ----------------------------------------------------------------------------------

/** The calls that the engine saw. */
let trace, judged;
/** The result of the refresh: nothing, a response, or an error. */
let refresh;
const engine = {
  findOurs(url) {
    judged.push(url);
    const parsed = URL.canParse(url) && new URL(url);
    return parsed && parsed.hostname === "127.0.0.1" && parsed;
  },
  async intercept(call) {
    for (let token = 1; ; token++) {
      const headers = new Headers(call.headers);
      if (headers.get("authorization") === `Bearer ${token - 1}`) headers.delete("authorization");
      if (!headers.has("rid")) headers.set("rid", "anti-csrf");
      if (!headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
      const answer = await call.send(headers, true);
      trace.push([answer.status, answer.headers.get("front-token")]);
      if (answer.status === 403) trace.push((await answer.clone().json()).claimValidationErrors);
      if (answer.status !== 401 || call.once || token > 1) return answer;
      trace.push("refresh");
      const instead = await refresh?.();
      if (instead) return Object.assign(instead, { cause: answer });
    }
  },
};

beforeEach(() => {
  [trace, judged, refusals, refresh] = [[], [], 0, undefined];
  seen.splice(0);
});

// --- the instances -------------------------------------------------------------------------------

function add(instance, given = engine) {
  instance.interceptors.request.use((config) => intercepted(config, instance, given), undefined, {
    synchronous: true,
  });
  return instance;
}

const adapters = {
  "Node's adapter": () => axios.create({ adapter: "http" }),
  "the default adapters": () => axios.create(),
  "the fetch adapter": () => axios.create({ adapter: "fetch" }),
  "a list": () => axios.create({ adapter: ["xhr", "fetch"] }),
  "an adapter of the app": () =>
    axios.create({ adapter: (config) => axios.getAdapter("http")(config) }),
  "an instance of the class": () => new Axios({ adapter: "http", ...pick(axios.defaults) }),
};
const pick = ({ transformResponse, transformRequest, validateStatus }) => ({
  transformResponse,
  transformRequest,
  validateStatus,
});

/** The value that axios resolved to or rejected with. */
async function outcome(promise) {
  try {
    const { status, data, config } = await promise;
    return { status, data, config };
  } catch (error) {
    const { name, code, message, response, config } = error;
    const is = { isAxiosError: axios.isAxiosError(error), isCancel: axios.isCancel(error) };
    return {
      name,
      code,
      message,
      ...is,
      status: response?.status,
      data: response?.data,
      config,
      error,
    };
  }
}

for (const [name, make] of Object.entries(adapters)) {
  test(`${name}: a refresh in between, and the answer as axios reads it`, async () => {
    refusals = 1;
    const instance = add(make());
    const response = await instance.request({
      method: "post",
      url: "/orders?x=1",
      baseURL: `${ORIGIN}/api/`,
      params: { y: 2 },
      data: { z: 3 },
      headers: { "X-Mine": "yes" },
    });
    assert.equal(response.status, 200);
    assert.deepEqual(response.data.body, '{"z":3}', "sent once more, and parsed");
    assert.equal(response.headers["front-token"], "t2");
    assert.deepEqual(trace, [[401, "t1"], "refresh", [200, "t2"]]);
    assert.deepEqual(judged, [`${ORIGIN}/api/orders?x=1`]);
    for (const [i, { method, url, headers }] of seen.entries()) {
      assert.deepEqual([method, url], ["POST", "/api/orders?x=1&y=2"]);
      assert.deepEqual(
        [headers["x-mine"], headers.rid, headers.authorization, headers["content-type"]],
        ["yes", "anti-csrf", `Bearer ${i + 1}`, "application/json"],
      );
    }
  });

  test(`${name}: a refusal by status is axios' own error, its tokens seen`, async () => {
    const instance = add(make());
    for (const [status, code] of [
      [403, "ERR_BAD_REQUEST"],
      [404, "ERR_BAD_REQUEST"],
      [500, "ERR_BAD_RESPONSE"],
    ]) {
      trace = [];
      const { error, ...rest } = await outcome(
        instance.request({ method: "get", url: `${ORIGIN}/?status=${status}` }),
      );
      const message = `Request failed with status code ${status}`;
      assert.ok(error instanceof axios.AxiosError);
      assert.deepEqual(
        [rest.status, rest.code, rest.message, rest.data.body],
        [status, code, message, ""],
      );
      assert.deepEqual(trace[0], [status, `t${seen.length}`]);
      assert.deepEqual(trace[1], status === 403 ? [{ id: "c" }] : undefined);
    }
    const { status } = await instance.request({
      method: "get",
      url: `${ORIGIN}/?status=418`,
      validateStatus: null,
    });
    assert.equal(status, 418);
  });

  test(`${name}: the configuration in answers and errors is the caller's, and can be sent again`, async () => {
    const instance = add(make());
    const { config } = await instance.request({
      method: "get",
      url: `${ORIGIN}/`,
      headers: { Accept: "a/b" },
    });
    const { config: refused, error } = await outcome(
      instance.request({ method: "get", url: `${ORIGIN}/?status=400` }),
    );
    for (const given of [config, refused, error.response.config]) {
      assert.deepEqual(
        [given.headers.authorization, given.headers.rid, given.withCredentials],
        [undefined, undefined, undefined],
      );
      assert.deepEqual(given.adapter, instance.defaults.adapter);
    }
    assert.equal(config.headers.Accept, "a/b");
    trace = [];
    assert.equal((await instance.request(config)).status, 200);
    assert.deepEqual(trace.length, 1);
  });

  test(`${name}: the server cannot be reached`, async () => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const url = `http://127.0.0.1:${gone.address().port}/`;
    gone.close();
    const { error, code, status } = await outcome(add(make()).request({ method: "get", url }));
    assert.ok(error instanceof axios.AxiosError);
    assert.match(code, /^(ECONNREFUSED|ERR_NETWORK)$/);
    assert.equal(status, undefined);
  });
}

test("some URLs are ours, and others are not", async () => {
  const rows = [
    [{ url: `${ORIGIN}/a` }, `${ORIGIN}/a`],
    [{ url: "a", baseURL: ORIGIN }, `${ORIGIN}/a`],
    [{ url: "/a", baseURL: `${ORIGIN}/b/` }, `${ORIGIN}/b/a`],
    [{ url: "", baseURL: `${ORIGIN}/b` }, `${ORIGIN}/b`],
    [{ baseURL: `${ORIGIN}/b` }, `${ORIGIN}/b`],
    [{ url: `${STRANGER}/a`, baseURL: ORIGIN }, `${STRANGER}/a`],
    [
      { url: `${STRANGER.replace("http:", "HTTP:")}/a`, baseURL: ORIGIN },
      `${STRANGER.replace("http:", "HTTP:")}/a`,
    ],
    [{ url: `//${STRANGER.slice(7)}/a`, baseURL: ORIGIN }, `//${STRANGER.slice(7)}/a`],
    [
      { url: `${STRANGER}/a`, baseURL: `${ORIGIN}/b`, allowAbsoluteUrls: false },
      `${ORIGIN}/b/${STRANGER}/a`,
    ],
    [{ url: `${ORIGIN}/a`, baseURL: STRANGER, allowAbsoluteUrls: true }, `${ORIGIN}/a`],
  ];
  for (const [config, url] of rows) {
    judged = [];
    await outcome(add(axios.create({ adapter: "http" })).request(config));
    assert.deepEqual(judged, [url]);
  }
});

test("a stranger gets nothing, whatever the baseURL", async () => {
  const instance = add(axios.create({ adapter: "http", baseURL: ORIGIN }));
  // Node resolves localhost to either address.
  await outcome(instance.get(`${STRANGER}/a`));
  assert.deepEqual(trace, []);
  for (const { headers } of seen)
    assert.deepEqual([headers.rid, headers.authorization], [undefined, undefined]);
});

test("changes by interceptors on the way count, in whichever order they were added", async () => {
  const instance = axios.create({ adapter: "http" });
  const edit = (name) => (config) => {
    config.url = config.url.replace(name, "");
    config.headers.set(`x-${name}`, "1");
    return config;
  };
  instance.interceptors.request.use(edit("before"));
  add(instance);
  instance.interceptors.request.use(edit("after"));
  instance.interceptors.response.use((response) => ({ ...response, status: response.status + 1 }));
  const { status } = await instance.get(`${ORIGIN}/beforeafter`);
  assert.equal(status, 201);
  assert.deepEqual(judged, [`${ORIGIN}/`]);
  assert.deepEqual(
    [seen[0].headers["x-before"], seen[0].headers["x-after"], seen[0].headers.rid],
    ["1", "1", "anti-csrf"],
  );
});

test("added twice, it acts once", async () => {
  const instance = add(add(axios.create({ adapter: "http" })));
  await instance.get(ORIGIN);
  assert.equal(trace.length, 1);
});

test("headers: the caller's stay, what the engine drops goes, lists are kept, false means none", async () => {
  const headers = {
    RID: "mine",
    Authorization: "Bearer 0",
    "X-List": ["a", "b"],
    "User-Agent": false,
    "X-Number": 5,
    Accept: null,
  };
  await add(axios.create({ adapter: "http" })).get(ORIGIN, { headers });
  const {
    rid,
    authorization,
    accept,
    "x-list": list,
    "user-agent": agent,
    "x-number": number,
  } = seen[0].headers;
  assert.deepEqual(
    [rid, authorization, accept, list, agent, number],
    ["mine", "Bearer 1", undefined, "a, b", undefined, "5"],
  );
});

test("an adapter of the app gets the headers in axios' own class, without what the engine drops", async () => {
  const dropping = {
    ...engine,
    intercept({ headers, send }) {
      const changed = new Headers(headers);
      changed.delete("authorization");
      changed.set("rid", "session");
      return send(changed, false);
    },
  };
  let given;
  const adapter = async (config) => (
    (given = config.headers),
    { status: 200, headers: {}, data: "", config }
  );
  await add(axios.create({ adapter }), dropping).get(ORIGIN, {
    headers: { Authorization: "Bearer 0", "X-Mine": "yes" },
  });
  assert.ok(given instanceof axios.AxiosHeaders);
  assert.deepEqual(
    [given.has("authorization"), given.get("rid"), given.get("x-mine")],
    [false, "session", "yes"],
  );
  assert.ok(Object.keys(given).includes("X-Mine"), "as the caller wrote it");
});

test("a header that the caller removed does not come back, and nothing is transformed twice", async () => {
  const instance = axios.create({
    adapter: "http",
    transformRequest: [(data) => `${data}!`],
    transformResponse: [(data) => `${data}?`],
  });
  instance.interceptors.request.use((config) => {
    config.headers.delete("Accept");
    return config;
  });
  const { data } = await add(instance).post(ORIGIN, "a", {
    headers: { "content-type": "text/plain" },
  });
  assert.equal(seen[0].headers.accept, undefined);
  assert.equal(seen[0].body, "a!");
  assert.ok(data.endsWith("}?"), data);
});

test("credentials are added where the caller says nothing", async () => {
  const asked = [];
  const adapter = async (config) => (
    asked.push(config.withCredentials),
    { status: 200, headers: {}, data: "", config }
  );
  for (const withCredentials of [undefined, true, false])
    await add(axios.create({ adapter })).get(ORIGIN, { withCredentials });
  await add(axios.create({ adapter, withCredentials: false })).get(ORIGIN);
  const none = { ...engine, intercept: (call) => call.send(new Headers(call.headers), false) };
  await add(axios.create({ adapter }), none).get(ORIGIN);
  assert.deepEqual(asked, [true, true, false, false, undefined]);
});

test("the refresh endpoint's response in place of the API's", async () => {
  const instance = add(axios.create({ adapter: "http" }));
  const rows = [
    [500, "", {}, { status: 500, code: "ERR_BAD_RESPONSE", data: "" }],
    [401, '{"a":1}', {}, { status: 401, code: "ERR_BAD_REQUEST", data: { a: 1 } }],
    [401, "text", { responseType: "text" }, { status: 401, code: "ERR_BAD_REQUEST", data: "text" }],
  ];
  for (const how of ["resolves", "rejects"]) {
    for (const [status, body, config, wanted] of rows) {
      refusals = 1;
      const response = () => new Response(body, { status, headers: { "x-a": "b" } });
      refresh = how === "rejects" ? () => Promise.reject(response()) : async () => response();
      const { error, ...rest } = await outcome(instance.get(`${ORIGIN}/x`, config));
      assert.deepEqual({ status: rest.status, code: rest.code, data: rest.data }, wanted);
      assert.deepEqual(
        [rest.name, rest.message, rest.isAxiosError],
        ["AxiosError", `Request failed with status code ${status}`, true],
      );
      assert.ok(error instanceof axios.AxiosError);
      assert.equal(error.response.headers["x-a"], "b");
      if (how === "resolves")
        assert.deepEqual(
          [error.response.cause.status, error.response.cause.request.path],
          [401, "/x"],
        );
      assert.equal(rest.config.url, `${ORIGIN}/x`);
      assert.deepEqual(JSON.parse(JSON.stringify(error)), {
        message: rest.message,
        name: "AxiosError",
        code: rest.code,
        status,
      });
    }
  }
  refusals = 1;
  refresh = async () => new Response("\x00\x01", { status: 503 });
  const { status, data } = await instance.get(ORIGIN, {
    responseType: "arraybuffer",
    validateStatus: () => true,
  });
  assert.deepEqual([status, data.byteLength], [503, 2]);
  assert.equal(seen.length, 7);
});

test("the refresh fails otherwise", async () => {
  const instance = add(axios.create({ adapter: "http" }));
  const rows = [
    [new TypeError("Failed to fetch"), "Network Error", "ERR_NETWORK"],
    [
      Object.assign(new Error("too many"), { code: "TOO_MANY_RETRIES" }),
      "too many",
      "TOO_MANY_RETRIES",
    ],
    ["text", "text", "ERR_NETWORK"],
    [undefined, "undefined", "ERR_NETWORK"],
  ];
  for (const [reason, text, wanted] of rows) {
    refusals = 1;
    refresh = () => Promise.reject(reason);
    const { message, code, isAxiosError, status, error } = await outcome(instance.get(ORIGIN));
    assert.deepEqual([message, code, isAxiosError, status], [text, wanted, true, undefined]);
    assert.ok(error instanceof axios.AxiosError);
    assert.equal(error.cause, reason);
  }
});

test(
  "cancelled while the refresh runs: at once, and nothing is sent again",
  { timeout: 5000 },
  async () => {
    let count = 0;
    // One that knows nothing of cancellations.
    const adapter = async ({ signal, cancelToken, ...config }) => (
      count++,
      axios.getAdapter("http")(config)
    );
    const instance = add(axios.create({ adapter }));
    for (const kind of ["signal", "token"]) {
      count = 0;
      refusals = 1;
      seen.splice(0);
      let started, proceed;
      const isRefreshing = new Promise((done) => (started = done));
      refresh = () => (started(), new Promise((done) => (proceed = done)));
      const controller = new AbortController();
      const source = axios.CancelToken.source();
      const request = outcome(
        instance.get(
          ORIGIN,
          kind === "signal" ? { signal: controller.signal } : { cancelToken: source.token },
        ),
      );
      await isRefreshing;
      controller.abort();
      source.cancel("enough");
      const { isCancel, name, code, message, error } = await request;
      assert.ok(error instanceof axios.CanceledError);
      assert.deepEqual(
        [isCancel, name, code, message],
        [true, "CanceledError", "ERR_CANCELED", kind === "signal" ? "canceled" : "enough"],
      );
      proceed();
      await new Promise((done) => setTimeout(done, 20));
      assert.deepEqual([seen.length, count], [1, 1]);
    }
  },
);

test("cancelled in flight and before: axios' own cancellation", async () => {
  const instance = add(axios.create({ adapter: "http" }));
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const url = `http://127.0.0.1:${silent.address().port}/`;
  const inFlight = await outcome(instance.get(url, { signal: AbortSignal.timeout(50) }));
  const before = await outcome(instance.get(url, { signal: AbortSignal.abort() }));
  silent.closeAllConnections();
  silent.close();
  for (const { error, isCancel } of [inFlight, before])
    assert.ok(isCancel && error instanceof axios.CanceledError);
});

test("a stream is sent once", async () => {
  refusals = 1;
  const { status } = await outcome(
    add(axios.create({ adapter: "http" })).post(ORIGIN, Readable.from(["abc"])),
  );
  assert.equal(status, 401);
  assert.deepEqual(
    seen.map(({ body }) => body),
    ["abc"],
  );
});

test("types of answers reach the caller untouched", async () => {
  const instance = add(axios.create({ adapter: "fetch" }));
  const get = async (responseType) =>
    (await instance.get(`${ORIGIN}/?status=403`, { responseType, validateStatus: null })).data;
  const text = '{"body":"","claimValidationErrors":[{"id":"c"}]}';
  assert.equal(await get("text"), text);
  assert.deepEqual(await get("json"), JSON.parse(text));
  assert.equal(Buffer.from(await get("arraybuffer")).toString(), text);
  assert.equal(await (await get("blob")).text(), text);
  assert.deepEqual(
    trace.filter(Array.isArray).filter(([{ id }]) => id === "c").length,
    4,
    "the engine could read them all",
  );
  // A stream has one reader, and that is the caller: claims in it are not seen.
  const quiet = {
    ...engine,
    intercept: (call) =>
      call.send(new Headers(call.headers), true).then((answer) => (answer.clone(), answer)),
  };
  const { data } = await add(axios.create({ adapter: "fetch" }), quiet).get(ORIGIN, {
    responseType: "stream",
  });
  assert.equal(await new Response(data).text(), text);
});

test("an adapter that throws, or that answers with what no server sends", async () => {
  const thrown = new Error("mine");
  for (const adapter of [
    () => {
      throw thrown;
    },
    () => Promise.reject(thrown),
  ]) {
    assert.equal((await outcome(add(axios.create({ adapter })).get(ORIGIN))).error, thrown);
  }
  const odd = async (config) => ({ status: 403, data: { claimValidationErrors: [1] }, config });
  assert.equal((await add(axios.create({ adapter: odd })).get(ORIGIN)).status, 403);
  assert.deepEqual(trace, [[403, null], [1]]);
});

test("where a patched function carries the request, it is left alone", () => {
  const { fetch: original } = globalThis;
  const isLeft = (config) => {
    const { adapter } = config;
    return intercepted(config, axios, engine).adapter === adapter;
  };
  try {
    globalThis.fetch = Object.assign((...args) => original(...args), {
      __supertokensOriginalFetch: original,
    });
    assert.equal(isLeft({ adapter: "fetch" }), true);
    assert.equal(isLeft({ adapter: ["xhr", "fetch"] }), true);
    assert.equal(isLeft({ adapter: "fetch", env: { fetch: original } }), false);
    assert.equal(isLeft({ adapter: "http" }), false);
    assert.equal(isLeft({}), false, "Node's adapter comes before fetch");
    assert.equal(isLeft({ adapter: () => {} }), false);

    globalThis.XMLHttpRequest = class {};
    assert.equal(isLeft({}), false);
    globalThis.XMLHttpRequest.__interceptedBySuperTokens = true;
    assert.equal(isLeft({}), true);
    assert.equal(isLeft({ adapter: "xhr" }), true);
    assert.equal(isLeft({ adapter: () => {} }), true);
    assert.equal(isLeft({ adapter: ["xhr", "http", "fetch"] }), true);
    assert.equal(isLeft({ adapter: "odd" }), false);
  } finally {
    globalThis.fetch = original;
    delete globalThis.XMLHttpRequest;
  }
});
