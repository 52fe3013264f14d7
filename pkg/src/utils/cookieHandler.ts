import { handlers, install, installed } from "../generated/browser/handlers.js";

/** Cookies as one text, and one to write. May take their time. */
export type CookieHandlerInterface = {
  getCookie: () => Promise<string>;
  /** In the syntax of `Set-Cookie`. */
  setCookie: (cookieString: string) => Promise<void>;
};
/** Makes a handler, from the browser's own. */
export type CookieHandlerInput = (original: CookieHandlerInterface) => CookieHandlerInterface;

/** The one handler of the page. */
export default class CookieHandlerReference {
  readonly cookieHandler: CookieHandlerInterface = handlers.cookies;

  /** The first call wins. */
  static init(input?: CookieHandlerInput): void {
    install("cookies", input);
  }

  /** Throws before `init`, this one's or the SDK's. */
  static getReferenceOrThrow(): CookieHandlerReference {
    if (!installed.cookies)
      throw new Error("SuperTokensCookieHandler must be initialized before calling this method.");
    return new CookieHandlerReference();
  }
}
export { CookieHandlerReference };
