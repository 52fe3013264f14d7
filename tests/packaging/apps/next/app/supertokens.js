import supertokens from "supertokens-node";
import Session from "supertokens-node/recipe/session";

const origin = process.env.ORIGIN ?? "http://localhost:3000";

export function ensureSuperTokens() {
  supertokens.init({
    supertokens: { connectionURI: process.env.SUPERTOKENS_CORE ?? "http://localhost:3567" },
    appInfo: { appName: "shop", apiDomain: origin, websiteDomain: origin, apiBasePath: "/auth" },
    recipeList: [Session.init()],
  });
}
