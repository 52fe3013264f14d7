/** @jest-environment jest-fixed-jsdom */
const { visit } = require("./visit.cjs");

// Nobody disposes of it: the runner has to end all the same.
test("with Node's fetch: from the first request to sign-out", () =>
  visit(require("passerby"), "header"));
