import { handlers, install, installed } from "../generated/browser/handlers.js";

/** A lock over all tabs. */
export type Lock = {
  /** Whether it could be had, within so many milliseconds. */
  acquireLock: (key: string, timeout?: number) => Promise<boolean>;
  releaseLock: (key: string) => Promise<void> | void;
};
/** Makes a lock. */
export type LockFactory = () => Promise<Lock> | Lock;

/** The one handler of the page. */
export default class LockFactoryReference {
  readonly lockFactory: LockFactory | undefined = handlers.lock;

  /** The first call wins. */
  static init(input?: LockFactory): void {
    install("lock", input);
  }

  /** Throws before `init`, this one's or the SDK's. */
  static getReferenceOrThrow(): LockFactoryReference {
    if (!installed.lock)
      throw new Error("SuperTokensLockReference must be initialized before calling this method.");
    return new LockFactoryReference();
  }
}
export { LockFactoryReference };
