// The meaning of the domains and the path of the configuration, whose a request is, and where a
// redirect may lead.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { mayFollow } from "../../src/browser/page.js";
import { domain, isInScope, parseUrl, path, scope } from "../../src/browser/scope.js";

globalThis.document = { baseURI: "https://shop.example/" };

test("domains are read as the rules say, and the server reads them", () => {
  const rules = readFileSync(new URL("../../protocol/src/domain.rs", import.meta.url), "utf8");
  const cases = [...rules.matchAll(/^ +\("(.*)", (?:None|Some\("(.*)"\))\),$/gm)];
  assert.equal(cases.length, rules.match(/^ +\("/gm).length);
  assert.ok(cases.length > 20, `${cases.length} cases`);
  for (const [, input, expected] of cases)
    assert.equal(domain(input)?.origin, expected && new URL(expected).origin, input);
});

test("what the browser's parser makes of a domain counts", () => {
  for (const [input, expected] of [
    ["http://x.com:80", "http://x.com"],
    ["https://x.com:443", "https://x.com"],
    ["exämple.com", "https://xn--exmple-cua.com"],
    ["https://", undefined],
    ["a b.com", undefined],
  ]) {
    assert.equal(domain(input)?.origin, expected, input);
  }
});

test("scopes are normalised as the peers do it", () => {
  for (const [input, expected] of [
    ["api.example.com", "api.example.com"],
    [".example.com/one/two", ".example.com"],
    ["http://api.example.com:8080/one?x#y", "api.example.com"],
    ["localhost:4000/one/two", "localhost"],
    ["https://localhost", "localhost"],
    ["localhost.org", "localhost.org"],
    [".localhost:8080", "localhost"],
    ["127.0.0.1:4000/one", "127.0.0.1"],
    [".127.0.0.1", "127.0.0.1"],
    ["https://127.0.0.1:80/", "127.0.0.1"],
    ["http://x.com:80", "x.com"],
    ["API.Example.com", "api.example.com"],
    ["HTTP://Api.example.com", "api.example.com"],
    ["exämple.com", "xn--exmple-cua.com"],
    ["[::1]:3000", "[::1]"],
    ["foo", "foo"],
    ["foo:3000", "foo"],
    ["foo/bar.json", "foo"],
    ["", undefined],
    ["http://", undefined],
  ]) {
    assert.equal(scope(input), expected, input);
  }
});

test("paths are normalised as the peers do it", () => {
  for (const [input, expected] of [
    ["api.example.com", ""],
    [".example.com/one/two", "/one/two"],
    ["http://api.example.com:8080/one?x#y", "/one"],
    ["localhost:4000/one/two", "/one/two"],
    ["https://localhost", ""],
    ["localhost.org", ""],
    ["foo", "/foo"],
    ["", ""],
    ["foo/bar.json", "/foo/bar.json"],
    ["/app.example.com", "/app.example.com"],
    ["/.netlify/functions/api", "/.netlify/functions/api"],
    ["exists?email=a%40b.com", "/exists"],
    ["/", ""],
    ["one/two/", "/one/two"],
    ["/a/../b", "/b"],
    ["/auth", "/auth"],
  ]) {
    assert.equal(path(input), expected, input);
  }
});

test("our URLs are those of the peers", () => {
  for (const [url, api, backend, expected] of [
    ["https://api.example.com", "http://api.example.com:8080", undefined, true],
    ["http://api.example.com:3000", "https://api.example.com", undefined, true],
    ["https://localhost:3000", "http://localhost:3001", undefined, true],
    ["http://127.0.0.1:3000", "https://127.0.0.1:3000", undefined, true],
    ["https://api.example.com", "https://example.com", undefined, false],
    ["https://api.example.com", "https://a.api.example.com", undefined, false],
    ["https://example.com", "https://api.example.com", undefined, false],
    ["http://localhost", "http://localhost.org", undefined, false],
    ["http://localhost", "http://localhost", "localhost.org", true],
    ["https://sub.api.example.com:3000", "", "example.com", true],
    ["https://sub.api.example.com:3000", "", ".example.com", true],
    ["https://sub.api.example.com:3000", "", "api.example.com", true],
    ["https://sub.api.example.com:3000", "", ".example.com:3001", true],
    ["https://sub.api.example.com:3000", "", ".com", true],
    ["http://127.0.0.1:3000", "", "https://127.0.0.1:3010", true],
    ["http://a.localhost:3000", "", ".localhost:3000", true],
    ["https://api.example.com:3000", "", ".a.api.example.com", false],
    ["https://sub1.api.example.co.uk:3000", "", ".api.example.co.uk", true],
    ["http://a.localhost:3000", "", ".localhost", true],
    ["http://127.0.0.1:3000", "", "127.0.0.1", true],
    ["https://notexample.com", "", "example.com", false],
    ["https://1.2.3.4", "", "3.4", false],
    // Better than the peer.
    ["blob:https://api.example.com/x", "https://api.example.com", undefined, false],
    ["data:text/plain,x", "https://api.example.com", undefined, false],
  ]) {
    const host = api ? parseUrl(api).hostname : "";
    assert.equal(
      isInScope(parseUrl(url), host, backend && scope(backend)),
      expected,
      `${url} ${api} ${backend}`,
    );
  }
});

test("redirects stay at home", () => {
  const own = "https://shop.example";
  for (const [url, isListed, expected] of [
    ["https://shop.example/dashboard", false, true],
    ["https://account.example/", true, true],
    ["https://account.example/", false, false],
    ["http://shop.example/", false, false],
    ["https://shop.example:8443/", false, false],
    ["https://shop.example@evil.example/", false, false],
    ["javascript:alert(1)", false, false],
    ["data:text/html,x", false, false],
    ["blob:https://shop.example/x", false, false],
    ["blob:https://shop.example/x", true, false],
  ]) {
    const target = new URL(url);
    assert.equal(mayFollow(target, own, isListed ? [target.origin] : []), expected, url);
  }
  assert.ok(
    !mayFollow(new URL("javascript:alert(1)"), "null", []),
    "an opaque origin is not that of a sandboxed page",
  );
});
