import { handlers, install, installed } from "../generated/browser/handlers.js";

/** A clock that follows the server's. */
export interface DateProviderInterface {
  /** Least age limit of a claim, in seconds: what is younger may be so by a wrong clock only. */
  getThresholdInSeconds(): number;
  setThresholdInSeconds(thresholdInSeconds: number): void;
  /** The server's time, in epoch milliseconds. */
  now(): number;
  setClientClockSkewInMillis(clockSkewInMillis: number): void;
  getClientClockSkewInMillis(): number;
}
/** Makes a clock. */
export type DateProviderInput = () => DateProviderInterface;

/** The clock in force, before `init` as well. */
export const dateProvider = (): DateProviderInterface => handlers.date;

/** The one handler of the page. */
export default class DateProviderReference {
  readonly dateProvider: DateProviderInterface = handlers.date;

  /** The first call wins. */
  static init(input?: DateProviderInput): void {
    install("date", input);
  }

  /** Throws before `init`, this one's or the SDK's. */
  static getReferenceOrThrow(): DateProviderReference {
    if (!installed.date)
      throw new Error("SuperTokensDateProvider must be initialized before calling this method.");
    return new DateProviderReference();
  }
}
export { DateProviderReference };
