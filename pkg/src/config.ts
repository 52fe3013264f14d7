import type { FlatConfig, Recipe, RecipeConfig } from "./types.js";

/** The options as the WebAssembly module reads them. */
export interface Options extends Omit<FlatConfig, "anonymous"> {
  /** `undefined` when the app says nothing of anonymous sessions. */
  anonymous: boolean | undefined;
  anonymousEndpoint: string | undefined;
  anonymousJwks: string | undefined;
}

const KNOWN =
  "apiDomain apiBasePath appName anonymous sessionTokenFrontendDomain sessionTokenBackendDomain sessionExpiredStatusCode " +
  "invalidClaimStatusCode maxRetryAttemptsForSessionRefresh autoAddCredentials tokenTransferMethod isInIframe onHandleEvent";

/** Either shape of `init`, made flat. */
export function flatten(config: FlatConfig | RecipeConfig): Options {
  const { appInfo, recipeList, ...rest } = config as RecipeConfig;
  const recipes: Recipe[] = recipeList ?? [];
  const flat: FlatConfig = Object.assign({}, rest, appInfo, ...recipes.map((recipe) => recipe.config));
  for (const name of Object.keys(flat)) {
    if (!KNOWN.split(" ").includes(name)) {
      console.error(`passerby ignores the unknown option "${name}" of init. Known: ${KNOWN}.`);
    }
  }
  const { anonymous } = flat;
  return {
    ...flat,
    anonymous: anonymous && anonymous.enabled !== false,
    anonymousEndpoint: anonymous?.endpoint,
    anonymousJwks: anonymous?.jwks,
  };
}
