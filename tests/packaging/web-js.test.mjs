// `supertokens-web-js` as npm has it, with this package in the place of the `supertokens-website`
// it is built on.

import { openApp } from "./support/app.mjs";
import { visit } from "./support/visit.mjs";

const { test } = await openApp("web-js");

// Its users say nothing of anonymous sessions, so the SDK asks the server first.
const first = ["POST /auth/session/refresh", "GET /api/me"];

test("login, expiry, refresh, logout", (visitor) => visit(visitor, { first }));
