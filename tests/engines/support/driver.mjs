// @ts-check
// A browser and what drives it, which now and then stops answering by no fault of ours. A flow that
// failed for that is tried once more, with another.

import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds in which a driver says something when it is asked for next to nothing. */
const PATIENCE = 5000;

/** The driver's own failure, or one while it does not answer. */
export class DriverFault extends Error {}

/**
 * Rejects after that many milliseconds.
 * @template T
 * @param {Promise<T>} work
 * @param {number} limit
 * @returns {Promise<T>}
 */
export function within(work, limit) {
  const end = new AbortController();
  const late = delay(limit, undefined, end).then(() => {
    throw new Error(`not done in ${limit} ms`);
  });
  // Whichever comes second.
  late.catch(() => {});
  work.catch(() => {});
  return Promise.race([work, late]).finally(() => end.abort());
}

export class Driver {
  /** @type {() => Promise<any>} */
  #launch;
  #limit;
  #say;
  /** @type {any} */
  browser;

  /**
   * @param {() => Promise<any>} launch
   * @param {number} limit milliseconds for one try
   * @param {(text: string) => void} [say]
   */
  constructor(launch, limit, say = (text) => process.stdout.write(`# ${text}\n`)) {
    this.#launch = launch;
    this.#limit = limit;
    this.#say = say;
  }

  /**
   * Calls `act` with a browser that was used before or not, and once more, with a new one, if the
   * driver has failed.
   * @template T
   * @param {string} title
   * @param {(browser: any) => Promise<T>} act
   * @param {() => Promise<unknown>[]} questions to the pages, for which any answer will do
   */
  async run(title, act, questions) {
    const once = async () => {
      try {
        this.browser ??= await within(this.#launch(), this.#limit);
      } catch (error) {
        throw new DriverFault(String(error), { cause: error });
      }
      return within(act(this.browser), this.#limit);
    };
    try {
      return await once();
    } catch (error) {
      if (!(await this.#hasFailed(error, questions))) throw error;
      this.#say(`${title}: the driver failed (${error}), so once more with a new one`);
      await this.close();
      return once();
    }
  }

  /** @param {unknown} error @param {() => Promise<unknown>[]} questions */
  async #hasFailed(error, questions) {
    const isFault = (/** @type {unknown} */ error) =>
      error instanceof DriverFault || this.browser?.isConnected?.() === false;
    if (isFault(error)) return true;
    const answers = within(Promise.allSettled(questions()), PATIENCE);
    return answers.then(
      (all) => all.some((one) => one.status === "rejected" && isFault(one.reason)),
      () => true,
    );
  }

  async close() {
    const { browser } = this;
    this.browser = undefined;
    await within(Promise.resolve(browser?.close()), PATIENCE).catch(() => {});
  }
}
