// `supertokens-web-js` as it is on npm, with this package in the place of the `supertokens-website`
// that it builds on.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { build } from "esbuild";
import { openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

const ROOT = resolve(import.meta.dirname, "../..");
const APP = `
  import SuperTokens from "supertokens-web-js";
  import Session, { BooleanClaim } from "supertokens-web-js/recipe/session";
  window.app = { SuperTokens, Session, BooleanClaim };
`;

/** Does what npm does with `"overrides": { "supertokens-website": "npm:passerby" }`. */
const overrides = {
  name: "overrides",
  setup(build) {
    build.onResolve({ filter: /^supertokens-website/ }, ({ path, kind }) =>
      build.resolve(path.replace("supertokens-website", "passerby"), {
        kind,
        resolveDir: resolve(ROOT, "pkg"),
      }),
    );
  },
};

const { outputFiles } = await build({
  stdin: { contents: APP, resolveDir: ROOT },
  bundle: true,
  write: false,
  plugins: [overrides],
});

test(
  "supertokens-web-js over us: login, expiry, questions, claims, sign-out",
  async (visitor) => {
    const tab = await visitor.tab();
    await tab.page.addScriptTag({ content: outputFiles[0].text });
    await tab.run(() => {
      window.events = [];
      app.SuperTokens.init({
        appInfo: { appName: "Sill", apiDomain: location.origin, apiBasePath: "/auth" },
        recipeList: [app.Session.init({ onHandleEvent: ({ action }) => events.push(action) })],
      });
    });
    assert.equal((await tab.signIn("Ada")).status, 200);
    const answers = () =>
      tab.run(async () => [
        await app.Session.doesSessionExist(),
        await app.Session.getUserId(),
        (await app.Session.getAccessTokenPayloadSecurely()).sub,
        await app.Session.validateClaims(),
        await app.Session.getClaimValue({
          claim: new app.BooleanClaim({ id: "none", refresh: async () => {} }),
        }),
      ]);
    assert.deepEqual(await answers(), [true, "ada", "ada", [], undefined]);
    await tab.expire();
    assert.equal((await tab.fetch("/api/account")).status, 200);
    assert.equal(await tab.run(() => app.Session.attemptRefreshingSession()), true);
    await tab.run(() => app.Session.signOut());
    assert.equal((await tab.fetch("/api/account")).status, 401);
    const events = await tab.run(() => events);
    assert.deepEqual(
      events.filter((action) => /^SESSION_CREATED|SIGN_OUT|UNAUTHORISED$/.test(action)),
      ["SESSION_CREATED", "SIGN_OUT", "UNAUTHORISED"],
    );
    assert.ok((await server.calls())["POST /auth/session/refresh"] >= 2);
  },
  { bypassCSP: true },
);
