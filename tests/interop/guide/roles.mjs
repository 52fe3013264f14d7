// Roles of the app's own in a claim, as `docs/server.md` has it. Argument: the core's address.
// Prints OK.

import assert from "node:assert/strict";
import supertokens from "supertokens-node";
import Session from "supertokens-node/recipe/session";
import { PrimitiveArrayClaim } from "supertokens-node/recipe/session/claims";

/** Stand for your database. */
const rolesOf = new Map([["ada", ["admin"]]]);

const RoleClaim = new PrimitiveArrayClaim({
  key: "roles",
  fetchValue: async (userId) => rolesOf.get(userId) ?? [],
});

supertokens.init({
  framework: "express",
  supertokens: { connectionURI: process.argv[2], apiKey: process.env.SUPERTOKENS_API_KEY },
  appInfo: {
    appName: "shop",
    apiDomain: "http://localhost:3001",
    websiteDomain: "http://localhost:3001",
  },
  recipeList: [
    Session.init({
      override: {
        functions: (original) => ({
          ...original,
          async createNewSession(input) {
            const roles = await RoleClaim.build(
              input.userId,
              input.recipeUserId,
              input.tenantId,
              input.accessTokenPayload,
              input.userContext,
            );
            return original.createNewSession({
              ...input,
              accessTokenPayload: { ...input.accessTokenPayload, ...roles },
            });
          },
        }),
      },
    }),
  ],
});

const onlyAdmins = [RoleClaim.validators.includes("admin")];
const signIn = (user) =>
  Session.createNewSessionWithoutRequestResponse("public", supertokens.convertToRecipeUserId(user));
const refusalsOf = async (session) => {
  try {
    await session.assertClaims(onlyAdmins);
    return [];
  } catch (error) {
    return error.payload.map(({ id }) => id);
  }
};

const [ada, bob] = [await signIn("ada"), await signIn("bob")];
assert.deepEqual(await refusalsOf(ada), []);
assert.deepEqual(await refusalsOf(bob), ["roles"]);
rolesOf.set("bob", ["admin"]);
await bob.fetchAndSetClaim(RoleClaim);
assert.deepEqual(await refusalsOf(bob), []);
console.log("OK");
