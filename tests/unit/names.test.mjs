// Modules that a page loads late repeat a few names: shared ones would have to be exports of the
// entry, which every visitor downloads. Here they are compared with those of the protocol.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import * as names from "../../src/browser/names.js";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The value of a constant that is one text. */
function constant(source, name) {
  const [, value] = source.match(new RegExp(`\\bconst ${name}\\b[^=]*=\\s*"([^"]*)"`)) ?? [];
  assert.ok(value, name);
  return value;
}

test("diagnose asks with the names of the protocol", () => {
  const diagnose = read("pkg/src/diagnose.ts");
  const protocol = read("protocol/src/names.rs");
  assert.equal(constant(diagnose, "KEYS"), constant(protocol, "JWKS_PATH"));
  assert.equal(constant(diagnose, "REFRESH"), names.REFRESH_PATH);
  const tokens = [
    names.HEADER_FRONT_TOKEN,
    names.HEADER_ANONYMOUS_FRONT_TOKEN,
    names.HEADER_ANTI_CSRF,
    names.ACCESS_TOKEN,
    names.REFRESH_TOKEN,
  ];
  assert.deepEqual(constant(diagnose, "TOKEN_HEADERS").split(", "), tokens);
  const [, headers] = diagnose.match(/\bconst headers = \{ ([^}]*) \}/);
  const asked = headers.split(", ").map((pair) => pair.split(": ")[0].replaceAll('"', ""));
  assert.deepEqual(asked, [names.HEADER_RID, names.HEADER_AUTH_MODE, names.HEADER_FDI_VERSION]);
  const [, version] = headers.match(/"fdi-version": "([^"]*)"/);
  assert.equal(version, names.FDI_VERSIONS.split(",").at(-1));
});

test("the axios interceptors know the marks of patched functions", () => {
  const axios = read("pkg/src/axios.ts");
  assert.equal(constant(axios, "FETCH"), constant(read("src/browser/host.js"), "ORIGINAL_FETCH"));
  assert.equal(constant(axios, "XHR"), constant(read("src/browser/xhr.js"), "INTERCEPTED_FLAG"));
});

test("supertokens-auth-react hears of the events that it knows, and of no others", () => {
  const folder = new URL("../../node_modules/supertokens-auth-react/lib/build/", import.meta.url);
  const theirs = readdirSync(folder)
    .filter((name) => name.endsWith(".js"))
    .map((name) => readFileSync(new URL(name, folder), "utf8"))
    .map((text) => text.match(/getSessionContext = function[^]*?Unhandled recipe event/)?.[0])
    .find(Boolean);
  const known = [...theirs.matchAll(/action === "(\w+)"/g)].map(([, action]) => action);
  assert.ok(known.includes("SIGN_OUT"), `${known}`);

  const [, hidden] = read("pkg/src/config.ts").match(/\/(.*)\/\.test\(event\.action\)/);
  const heard = names.EVENTS.filter((action) => !new RegExp(hidden).test(action));
  assert.deepEqual(
    heard,
    names.EVENTS.filter((action) => known.includes(action)),
  );
});

test("the demo's panel hides the claims of the protocol, and no others", () => {
  const names = read("protocol/src/names.rs");
  const [, list] = read("protocol/src/payload.rs").match(/PROTECTED_CLAIMS[^=]*= &\[([^\]]*)\]/);
  const claims = [...list.matchAll(/"(\w+)"|(CLAIM_\w+)/g)].map(
    ([, text, name]) => text ?? constant(names, name),
  );
  const [, shown] = read("www/web/src/session.ts").match(
    /CLAIMS_OF_THE_PROTOCOL = new Set\(([^;]*)\);/,
  );
  const hidden = [...shown.matchAll(/"([^"]+)"/g)].flatMap(([, text]) => text.trim().split(/ +/));
  assert.deepEqual(hidden.filter(Boolean).toSorted(), claims.toSorted());
});
