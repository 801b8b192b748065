/**
 * Owns the arithmetic of `inward logits`: logits -> log-probabilities in float64, ranked. Pure.
 */
import { InwardError } from '../../runtime/index.ts';

export interface Ranked {
  readonly id: number;
  readonly logprob: number;
}

export interface Distribution {
  /** Natural logarithm of the softmax at `id`. */
  logprob(id: number): number;
  /** The `count` likeliest ids, likeliest first, equal ones by id. */
  top(count: number): readonly Ranked[];
  /** Best logit minus second best. */
  readonly margin: number;
}

/** Throws `internal` when a logit is not finite: such an answer must not look like a number. */
export function createDistribution(logits: Float32Array): Distribution {
  if (!logits.every(Number.isFinite)) throw new InwardError('internal', { part: 'logits (a value is not finite)' });
  const at = (id: number): number => logits[id] ?? Number.NEGATIVE_INFINITY;
  const max = logits.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  const logSum = Math.log(logits.reduce((sum, value) => sum + Math.exp(value - max), 0));
  const logprob = (id: number): number => at(id) - max - logSum;
  const [first = 0, second = first] = rank(logits, 2);
  return {
    logprob,
    top: (count) => Array.from(rank(logits, count), (id) => ({ id, logprob: logprob(id) })),
    margin: at(first) - at(second),
  };
}

/** Ids of the `count` largest values. Sorting a whole vocabulary for each position would be the slowest part of the command. */
function rank(values: Float32Array, count: number): readonly number[] {
  const at = (id: number): number => values[id] ?? Number.NEGATIVE_INFINITY;
  if (count >= values.length) return Array.from(values.keys()).sort((a, b) => at(b) - at(a) || a - b);
  const best: number[] = [];
  for (let id = 0; id < values.length; id++) {
    const last = best.at(-1);
    if (best.length >= count && last !== undefined && at(id) <= at(last)) continue;
    let place = best.length;
    while (place > 0 && at(best[place - 1] ?? 0) < at(id)) place--;
    best.splice(place, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}
