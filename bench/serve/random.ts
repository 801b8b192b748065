/**
 * Owns the seeded random numbers of the load bench: the same seed gives the same load on every machine. Pure. Refuses to be secret:
 * it makes prompts and arrival times, nothing else.
 */

import { random } from '../../kernels/random.ref.ts';

/** Numbers from 0 (included) to 1. */
export type Random = () => number;

export { random as createRandom };

/** The finalizer of MurmurHash3 (Appleby): every bit of the input moves every bit of the output, so seeds may be neighbours. */
function mix(word: number): number {
  let bits = word >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** One seed of several whole numbers, whose order counts. */
export function joinSeeds(...seeds: readonly number[]): number {
  return seeds.reduce((joined, seed) => mix(Math.imul(joined, 31) + seed + 0x9e3779b9), 0);
}

/** Times between arrivals of a Poisson process are exponential; `mean` in any unit. */
export function drawExponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random());
}

/** A whole number from `low` to `high`, both included. */
export function drawInteger(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}
