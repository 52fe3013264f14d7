/** A clock. Times are in milliseconds, but for the threshold. */
export interface DateProviderInterface {
  /** Seconds by which the clocks of server and browser may differ unnoticed. No age of a claim can be told more precisely. */
  getThresholdInSeconds(): number;
  setThresholdInSeconds(thresholdInSeconds: number): void;
  /** Epoch milliseconds by the server's clock, as far as it is known. */
  now(): number;
  /** By how much the server's clock is ahead of the browser's. */
  setClientClockSkewInMillis(clockSkewInMillis: number): void;
  getClientClockSkewInMillis(): number;
}

/** How an app supplies its own clock. */
export type DateProviderInput = () => DateProviderInterface;

/** Where the skew outlives the page. */
const KEY = "__st_clockSkewInMillis";

/** The browser's clock, corrected. */
function makeDefault(): DateProviderInterface {
  let threshold = 7;
  let skew: number | undefined;
  return {
    getThresholdInSeconds: () => threshold,
    setThresholdInSeconds(seconds) {
      threshold = seconds;
    },
    now() {
      return Date.now() + this.getClientClockSkewInMillis();
    },
    // Read when first asked, because import must not touch the page.
    getClientClockSkewInMillis: () => (skew ??= stored()),
    setClientClockSkewInMillis(millis) {
      // What is below the threshold may as well be the time that the answer travelled.
      skew = Math.abs(millis) >= threshold * 1000 ? millis : 0;
      try {
        localStorage.setItem(KEY, String(skew));
      } catch {
        // Storage is full, denied or missing: the value holds for this page.
      }
    },
  };
}

function stored(): number {
  try {
    return Number(localStorage.getItem(KEY)) || 0;
  } catch {
    return 0;
  }
}

const fallback = /* @__PURE__ */ makeDefault();

/** The clock in force: the app's own, or the default one, before `init` too. */
export function dateProvider(): DateProviderInterface {
  return reference?.dateProvider ?? fallback;
}

let reference: DateProviderReference | undefined;

/** Holds the clock in force. */
export class DateProviderReference {
  dateProvider: DateProviderInterface;

  constructor(input?: DateProviderInput) {
    this.dateProvider = input?.() ?? fallback;
  }

  /** Only the first call has an effect. Default: the browser's clock, corrected by the skew that the server's answers show. */
  static init(input?: DateProviderInput): void {
    reference ??= new DateProviderReference(input);
  }

  static getReferenceOrThrow(): DateProviderReference {
    if (!reference) throw new Error("SuperTokensDateProvider must be initialized before calling this method.");
    return reference;
  }
}

export default DateProviderReference;
