/** @jest-environment jsdom */
const { visit } = require("./visit.cjs");

test("with a fetch made of XMLHttpRequest: from the first request to sign-out", async () => {
  require("whatwg-fetch");
  const passerby = require("passerby");
  expect(() => passerby.init({ apiDomain: location.origin })).toThrow("There is no TextDecoder");
  const { TextDecoder, TextEncoder } = require("node:util");
  Object.assign(globalThis, { TextDecoder, TextEncoder });
  const native = fetch;
  await visit(passerby, "cookie");
  passerby.dispose();
  expect(fetch).toBe(native);
});
