/**
 * Owns how far one way to compute a model is from another, by the log-probabilities of the same tokens at the same places. Pure. Refuses
 * anything but finite numbers.
 */
import type { TokenLogprobs } from '../../runtime/index.ts';
import { quantile } from '../serve/statistics.ts';

/** In nats, over all scored positions. */
export interface Distance {
  /** Of the texts' own tokens: mean of -log p, and e to the power of it. */
  readonly meanNll: number;
  readonly perplexity: number;
  /** |log p - log p of the reference| of the texts' own tokens. */
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
  /** Mean of a lower bound of the Kullback-Leibler divergence of the reference from this (`boundDivergence`). */
  readonly divergence: number;
  /** Part of the positions at which the likeliest token is the same. */
  readonly agreement: number;
}

/** Both: what was said of the same token at each position. */
export function measureDistance(scored: readonly TokenLogprobs[], reference: readonly TokenLogprobs[]): Distance {
  if (scored.length === 0 || scored.length !== reference.length) throw new RangeError('positions are missing');
  const pairs = scored.map((own, i) => [own, reference[i] ?? own] as const);
  if (!pairs.flat().every(({ logprob }) => Number.isFinite(logprob))) throw new RangeError('a log-probability is no finite number');
  const differences = pairs.map(([own, other]) => Math.abs(own.logprob - other.logprob)).sort((a, b) => a - b);
  const meanNll = meanOf(scored.map(({ logprob }) => -logprob));
  return {
    meanNll,
    perplexity: Math.exp(meanNll),
    mean: meanOf(differences),
    p99: quantile(differences, 0.99),
    max: differences.at(-1) ?? Number.NaN,
    divergence: meanOf(pairs.map(([own, other]) => boundDivergence(other.top, own.top))),
    agreement: meanOf(pairs.map(([own, other]) => (own.top[0]?.id === other.top[0]?.id ? 1 : 0))),
  };
}

/**
 * A lower bound of the Kullback-Leibler divergence of p from q, of which the likeliest tokens are known: that of the tokens in both lists and of
 * all others as one. Joining outcomes never makes a divergence larger (Cover and Thomas 2006, theorem 2.7.1, the log sum inequality).
 */
export function boundDivergence(p: TokenLogprobs['top'], q: TokenLogprobs['top']): number {
  const others = new Map<number, number>(q.map(({ id, logprob }) => [id, logprob]));
  let [restP, restQ, sum] = [1, 1, 0];
  for (const { id, logprob } of p) {
    const other = others.get(id);
    if (other === undefined) continue;
    sum += Math.exp(logprob) * (logprob - other);
    restP -= Math.exp(logprob);
    restQ -= Math.exp(other);
  }
  // Of a rest that rounding alone has made, nothing is known.
  if (restP > leastRest && restQ > leastRest) sum += restP * Math.log(restP / restQ);
  return Math.max(0, sum);
}

/** Log-probabilities come in f32: sums of 20 probabilities are off by less. */
const leastRest = 1e-5;

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
