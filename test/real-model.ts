/**
 * Owns what tests of real models share: the golden of one (log-probabilities, greedy tokens and their margins, a passage) and the measures
 * that are taken against it. Refuses to judge them.
 */

import type { Engine } from '../runtime/types.ts';
import { run } from './engine-run.ts';

export interface RealCase {
  readonly ids: readonly number[];
  readonly top20: readonly (readonly [id: number, logprob: number])[];
  readonly greedy: readonly number[];
  readonly margins: readonly number[];
  readonly chat?: readonly { readonly role: 'user' | 'system' | 'assistant'; readonly content: string }[];
}

export interface RealGolden {
  readonly sha256: string;
  readonly cases: readonly RealCase[];
  readonly passage: { readonly ids: readonly number[]; readonly mean_nll: number };
}

export function logProbabilities(logits: Float32Array): Float64Array {
  const peak = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - peak);
  return Float64Array.from(logits, (logit) => logit - peak - Math.log(sum));
}

/** Greedy tokens before the first step at which the second one is nearly as likely. */
export function tieAt({ margins }: RealCase): number {
  const step = margins.findIndex((margin) => margin < 0.05);
  return step < 0 ? margins.length : step;
}

/** Mean of -log p(next id) over a passage: from whole logits, and from the log-probabilities that the device worked out. */
export async function meanNlls(engine: Engine, ids: readonly number[]): Promise<[number, number]> {
  const { logits, logprobs } = await run(engine, ids, { maxTokens: 0, logits: 'all', promptLogprobs: 0 });
  if (logits.length !== ids.length - 1 || logprobs.length !== ids.length - 1) throw new Error('not every position of the passage was reported');
  return [
    logits.reduce((sum, row, position) => sum - (logProbabilities(row)[ids[position + 1] ?? 0] ?? Number.NaN), 0) / logits.length,
    logprobs.reduce((sum, { logprob }) => sum - logprob, 0) / logprobs.length,
  ];
}
