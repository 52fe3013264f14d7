import { reportingErrors } from "./generated/browser/handlers.js";
import { makeError } from "./load.js";
import { overrideWith, type RecipeInterface } from "./recipe.js";
import type { FlatConfig, Recipe, RecipeConfig, SessionEvent } from "./types.js";

/** The options as they are used. */
export interface Options extends FlatConfig {
  apiBasePath: string;
  /** The functions that the app replaced. */
  recipe: Record<string, unknown>;
}

/** Names by type. */
const KNOWN = {
  string:
    "apiDomain apiBasePath apiGatewayPath appName clientType sessionTokenFrontendDomain " +
    "sessionTokenBackendDomain " +
    "tokenTransferMethod interception fallbackUrl",
  number: "sessionExpiredStatusCode invalidClaimStatusCode maxRetryAttemptsForSessionRefresh",
  boolean: "autoAddCredentials isInIframe enableDebugLogs eventsOfOtherTabs",
  function:
    "onHandleEvent preAPIHook postAPIHook cookieHandler windowHandler dateProvider lockFactory",
  object: "anonymous override experimental",
};

/** Either shape of `init`, made flat and checked. */
export function flatten(config: FlatConfig | RecipeConfig): Options {
  const { appInfo, recipeList, ...rest } = config as RecipeConfig;
  const recipes: Recipe[] = recipeList ?? [];
  // The peers' recipes hand on all that they have: an `appInfo` of their own making beside flat
  // options, and options that concern them alone.
  const flat: FlatConfig = Object.assign(
    {},
    rest,
    recipeList && appInfo,
    ...recipes.map((recipe) => recipe.config),
  );
  for (const [name, value] of Object.entries(flat)) {
    const type = Object.entries(KNOWN).find(([, names]) => names.split(" ").includes(name))?.[0];
    if (!type) {
      if (!("recipeId" in flat)) console.error(`init has no option "${name}"`);
    } else if (value != null && typeof value !== type) {
      throw makeError("BAD_CONFIG", `The option ${name} is not of type ${type}`);
    }
  }
  const { apiGatewayPath, apiBasePath = "/auth", onHandleEvent } = flat;
  return {
    ...flat,
    // supertokens-auth-react throws, where nobody catches it, at events that it does not know.
    ...("recipeRootStyle" in flat && {
      onHandleEvent: (event: SessionEvent) =>
        void (/^AN|^T/.test(event.action) || onHandleEvent?.(event)),
    }),
    apiBasePath: apiGatewayPath
      ? `${apiGatewayPath.replace(/\/$/, "")}/${apiBasePath.replace(/^\//, "")}`
      : apiBasePath,
    recipe: replaced(flat),
  };
}

/** The functions that the app replaced, as the host module calls them. */
function replaced({
  override,
  apiDomain,
  sessionTokenBackendDomain,
}: FlatConfig): Record<string, unknown> {
  const recipe: Partial<RecipeInterface> = overrideWith(override?.functions);
  const decide = recipe.shouldDoInterceptionBasedOnUrl;
  return {
    ...recipe,
    shouldDoInterceptionBasedOnUrl:
      decide &&
      ((url: URL) => reportingErrors(() => decide(url.href, apiDomain, sessionTokenBackendDomain))),
  };
}
