// Recipes that ask the core for something with each new session, which it does not keep. Argument:
// the core's address. Prints OK.

import assert from "node:assert/strict";
import supertokens from "supertokens-node";
import EmailVerification from "supertokens-node/recipe/emailverification";
import Session from "supertokens-node/recipe/session";
import UserRoles from "supertokens-node/recipe/userroles";

supertokens.init({
  framework: "express",
  supertokens: { connectionURI: process.argv[2], apiKey: process.env.SUPERTOKENS_API_KEY },
  appInfo: {
    appName: "shop",
    apiDomain: "http://localhost:3001",
    websiteDomain: "http://localhost:3001",
  },
  recipeList: [
    Session.init(),
    UserRoles.init(),
    EmailVerification.init({
      mode: "OPTIONAL",
      // The core knows no users, so the app says which address is whose.
      getEmailForRecipeUserId: async (id) => ({
        status: "OK",
        email: `${id.getAsString()}@example.com`,
      }),
    }),
  ],
});

const ada = await Session.createNewSessionWithoutRequestResponse(
  "public",
  supertokens.convertToRecipeUserId("ada"),
);
assert.deepEqual(await ada.getClaimValue(UserRoles.UserRoleClaim), []);
assert.deepEqual(await ada.getClaimValue(UserRoles.PermissionClaim), []);
assert.equal(await ada.getClaimValue(EmailVerification.EmailVerificationClaim), false);
await assert.rejects(ada.assertClaims([UserRoles.UserRoleClaim.validators.includes("admin")]), {
  type: "INVALID_CLAIMS",
});
console.log("OK");
