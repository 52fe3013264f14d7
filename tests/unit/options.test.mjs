// An option of `init` has its type and its description in `pkg/src/types.ts`. The check of `init`,
// the table in `docs/web.md` and the SDK's defaults repeat its name, and are compared here; so are
// the lists of functions, and the options of the server's builder with the changelog.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const types = read("pkg/src/types.ts");
const guide = read("docs/web.md");

/** The names of an interface's own members. */
function membersOf(name) {
  const [, body] = types.match(
    new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([^]*?)^\\}`, "m"),
  );
  return [...body.matchAll(/^ {2}(\w+)\??[(:]/gm)].map(([, member]) => member);
}

const OPTIONS = ["ApiConfig", "SessionConfig", "PlatformConfig", "FlatConfig"].flatMap(membersOf);
/** Options of the peers that an app may pass, and that change nothing. */
const ACCEPTED = ["appName", "clientType", "experimental"];

test("init checks the type of each option", () => {
  const [, known] = read("pkg/src/config.ts").match(/const KNOWN = \{([^}]*)\}/);
  const named = [...known.matchAll(/"([^"]*)"/g)].flatMap(([, text]) => text.trim().split(" "));
  assert.deepEqual(named.toSorted(), [...OPTIONS, ...ACCEPTED].toSorted());
});

/** The code in the first column of the guide's tables. */
const FIRST_COLUMN = [...guide.matchAll(/^\| (`[^|]*)\|/gm)].map(([, cell]) => cell);

test("the guide has a row for each option", () => {
  const rows = FIRST_COLUMN.flatMap((cell) => [...cell.matchAll(/`([\w.]+)`/g)].map(([, n]) => n));
  const wanted = [...OPTIONS, ...membersOf("AnonymousConfig").map((name) => `anonymous.${name}`)];
  assert.deepEqual(
    wanted.filter((name) => !rows.includes(name)),
    [],
  );
});

test("the defaults that the guide tells are those of the SDK", () => {
  const tasks = read("src/browser/tasks.js");
  for (const name of [
    "sessionExpiredStatusCode",
    "invalidClaimStatusCode",
    "maxRetryAttemptsForSessionRefresh",
    "autoAddCredentials",
  ]) {
    const [, value] = tasks.match(new RegExp(`options\\.${name} \\?\\? (\\w+)`));
    assert.match(guide, new RegExp(`^\\| \`${name}\` \\| \\w+ \\| ${value} \\|`, "m"), name);
    assert.match(types, new RegExp(`Default ${value}\\. \\*/\\n {2}${name}\\?`), name);
  }
  const rules = read("protocol/src/names.rs");
  assert.match(rules, /SESSION_EXPIRED_STATUS: u16 = 401;/);
  assert.match(rules, /INVALID_CLAIM_STATUS: u16 = 403;/);
  assert.match(read("pkg/src/session.ts"), /sessionExpiredStatusCode \?\? 401\b/);
  const crate = read("src/config.rs");
  assert.match(crate, /\bmax_retry_attempts_for_session_refresh: 10,/);
  assert.match(crate, /\bauto_add_credentials: true,/);
});

test("each function is a named export, a member of the default export, and in the guide", () => {
  const exported = read("pkg/src/exports.ts").match(/export \{([^}]*)\} from "\.\/session\.js"/)[1];
  const members = read("pkg/src/session.ts").match(/export const functions = \{([^}]*)\}/)[1];
  const names = (list) => list.match(/\w+/g).toSorted();
  assert.deepEqual(names(members), names(exported));
  const rows = FIRST_COLUMN.flatMap((cell) => cell.match(/^`(\w+)\(/)?.[1] ?? []);
  assert.deepEqual(
    names(exported).filter((name) => !rows.includes(name)),
    [],
  );
});

test("the type of errors has each code that the SDK throws, and no other", () => {
  const folders = ["src/browser", "pkg/src"];
  const sources = folders.flatMap((folder) =>
    readdirSync(new URL(`../../${folder}`, import.meta.url))
      .filter((name) => /\.(js|ts)$/.test(name))
      .map((name) => read(`${folder}/${name}`)),
  );
  const thrown = sources.flatMap((text) => [
    ...text.matchAll(/(?:\bmakeError\(|^ +\[)\s*"([A-Z_]+)",/gm),
  ]);
  const [, union] = types.match(/interface SessionError [^]*?code:([^;]*);/);
  // A back end's own refusal, whose code comes from it.
  const codes = new Set([...thrown.map(([, code]) => code), "GENERAL_ERROR"]);
  assert.deepEqual(union.match(/[A-Z_]+/g).toSorted(), [...codes].toSorted());
});

const BUILDER = [
  ...read("server/src/builder/mod.rs").matchAll(
    /((?:^ {4}\/\/\/.*\n)+)(?: {4}#.*\n)* {4}pub fn (\w+)[(<]/gm,
  ),
].map(([, text, name]) => ({ name, text }));

test("each option of the server's builder tells its default", () => {
  const options = BUILDER.filter(({ name }) => name !== "builder");
  assert.ok(options.length > 30, `${options.length} options`);
  const silent = options.filter(({ text }) => !/\b[Dd]efault|Required|several\s/.test(text));
  assert.deepEqual(
    silent.map(({ name }) => name),
    [],
  );
});

test("the changelog names each function, and each option of the server", () => {
  const changes = read("CHANGELOG.md");
  const methods = [...read("server/src/sessions.rs").matchAll(/^ {4}pub (?:async )?fn (\w+)/gm)];
  const members = read("pkg/src/session.ts").match(/export const functions = \{([^}]*)\}/)[1];
  const names = [...BUILDER.map(({ name }) => name), ...methods.map(([, name]) => name)];
  assert.ok(names.length > 45, `${names.length} names`);
  assert.deepEqual(
    [...names, ...members.match(/\w+/g)].filter(
      (name) => !new RegExp(`\\b${name}\\b`).test(changes),
    ),
    [],
  );
});
