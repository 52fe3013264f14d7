// Measuring several contestants in turn, and what the numbers come to.

/**
 * A B A B …: each round measures every contestant once, so that other work on the machine slows
 * all of them alike. The first rounds warm up and do not count.
 * @template C
 * @param {C[]} contestants
 * @param {{ rounds: number, warmUp?: number }} times
 * @param {(contestant: C) => Promise<number>} measure
 * @returns {Promise<number[][]>} by contestant
 */
export async function alternate(contestants, { rounds, warmUp = 1 }, measure) {
  const values = contestants.map(() => []);
  for (let round = -warmUp; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const value = await measure(contestant);
      if (!Number.isFinite(value)) throw new Error(`not a number: ${value}`);
      if (round >= 0) values[index].push(value);
    }
  }
  return values;
}

/** @param {number[]} values @param {number} share */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (above - below) * (place % 1);
}

/** The median, and the quartiles as the spread. @param {number[]} values */
export function summary(values) {
  return {
    median: quantile(values, 0.5),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    values,
  };
}

/** Fails with the reason when a contestant did not do the work. */
export function check(condition, reason) {
  if (!condition) throw new Error(`the work was not done: ${reason}`);
}
