import { handlers, install, installed } from "../generated/browser/handlers.js";

/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */
/** As `Storage`, with promises and without. */
export type StorageHandler = {
  key: (index: number) => Promise<string | null>;
  getItem: (key: string) => Promise<string | null>;
  clear: () => Promise<void>;
  removeItem: (key: string) => Promise<void>;
  setItem: (key: string, value: string) => Promise<void>;
  keySync: (index: number) => string | null;
  getItemSync: (key: string) => string | null;
  clearSync: () => void;
  removeItemSync: (key: string) => void;
  setItemSync: (key: string, value: string) => void;
};
/** The parts of the window that the SDK uses. */
export type WindowHandlerInterface = {
  history: {
    replaceState: (data: any, unused: string, url?: string | null) => void;
    getState: () => any;
  };
  location: {
    getHref: () => string;
    setHref: (href: string) => void;
    getSearch: () => string;
    getHash: () => string;
    getPathName: () => string;
    assign: (url: string | URL) => void;
    getOrigin: () => string;
    getHostName: () => string;
    getHost: () => string;
  };
  getDocument: () => Document;
  localStorage: StorageHandler;
  sessionStorage: StorageHandler;
  getWindowUnsafe: () => typeof window;
};
/** Makes a handler, from the browser's own. */
export type WindowHandlerInput = (original: WindowHandlerInterface) => WindowHandlerInterface;

/** The one handler of the page. */
export default class WindowHandlerReference {
  readonly windowHandler: WindowHandlerInterface = handlers.window;

  /** The first call wins. */
  static init(input?: WindowHandlerInput): void {
    install("window", input);
  }

  /** Throws before `init`, this one's or the SDK's. */
  static getReferenceOrThrow(): WindowHandlerReference {
    if (!installed.window)
      throw new Error("SuperTokensWindowHandler must be initialized before calling this method.");
    return new WindowHandlerReference();
  }
}
export { WindowHandlerReference };
