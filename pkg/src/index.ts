/**
 * A session for every visitor: anonymous from the first request, authenticated after login.
 *
 * The functions that `supertokens-website` and `supertokens-web-js` have too behave as there;
 * `docs/protocol.md` says what is sent.
 */
import { decode } from "./inline.js";
import Session from "./recipe/session.js";
import { functions, initFrom } from "./session.js";
// Last: compressors do better when it follows the code.
import { wasm } from "./generated/wasm.js";
import type { FlatConfig, RecipeConfig } from "./types.js";

export * from "./exports.js";
export { Session };

/**
 * Starts the SDK: when it returns, `fetch` and `XMLHttpRequest` carry the visitor's session. Throws
 * a `SessionError` for a configuration that cannot work. A second call takes the place of the
 * first, handlers apart; in the shape of `supertokens-web-js` it changes nothing.
 */
export function init(config: FlatConfig | RecipeConfig): void {
  initFrom(() => decode(wasm), config);
}

/** As the default export of `supertokens-website`, and of `supertokens-web-js`. */
export default { ...functions, init };
