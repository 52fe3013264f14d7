// `supertokens-auth-react` as npm has it, over this package in the place of `supertokens-website`.

import assert from "node:assert/strict";
import { openApp } from "./support/app.mjs";
import { visit } from "./support/visit.mjs";

const { test } = await openApp("auth-react");

// SessionAuth asks whether there is a session, and so does the SDK: its users say nothing of
// anonymous ones.
const first = ["POST /auth/session/refresh", "GET /api/me"];

test("login, expiry, refresh, logout; SessionAuth and useSessionContext follow", async (visitor) => {
  // The meaning of SIGN_OUT to these components does not come from the SDK: it is nobody, until
  // they ask again.
  const shows = { showsUser: true, shownAfterSignOut: "nobody" };
  // At an event that it does not know, it throws.
  const app = { first, hearsOfGuests: false, ...shows, renewsItself: true };
  const { page, anonymousId } = await visit(visitor, app);
  assert.equal(await page.locator("#inside").count(), 0);
  await page.reload();
  await page.locator("#who", { hasText: `G-${anonymousId}` }).waitFor();
  await page.locator("#inside").waitFor();
});
