/** @jest-environment jsdom */

test("importing has no effect, and init names what is missing", () => {
  const before = Object.getOwnPropertyNames(globalThis);
  const { XMLHttpRequest } = globalThis;
  const passerby = require("passerby");
  const { default: Session } = require("passerby/recipe/session");
  expect(passerby.getSnapshot()).toEqual({ state: "unknown" });
  expect(typeof Session.getUserId).toBe("function");
  let thrown;
  try {
    passerby.init({ apiDomain: location.origin });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({
    name: "SessionError",
    code: "NO_WINDOW",
    message: "There is no fetch",
  });
  expect(Object.getOwnPropertyNames(globalThis)).toEqual(before);
  expect(globalThis.XMLHttpRequest).toBe(XMLHttpRequest);
});
