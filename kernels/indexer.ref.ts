/** CPU references of the kernels of a lightning indexer, in double precision. Bounds: of keys headsBound, of scores that of a matmul; a choice is exact. */
import { headReference } from './heads.ref.ts';

interface Turn {
  readonly pairs: 'interleaved' | 'halfSplit';
  readonly rotaryStart: number;
  /** Angle of each pair at the token's position. */
  readonly angles: readonly number[];
}

function layerNormReference(x: ArrayLike<number>, weights: ArrayLike<number>, biases: ArrayLike<number>, epsilon: number): Float64Array {
  const values = Float64Array.from(x);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * (weights[i] ?? 0) + (biases[i] ?? 0));
}

/** The index key of a token. */
export function indexKeyReference(
  row: ArrayLike<number>,
  norm: { readonly weights: ArrayLike<number>; readonly biases: ArrayLike<number>; readonly epsilon: number },
  turn: Turn,
): Float64Array {
  return headReference(layerNormReference(row, norm.weights, norm.biases, norm.epsilon), { ...turn, factor: 1 });
}

/** queries: one a head; weights: a number for each. */
export function indexScoreReference(queries: readonly ArrayLike<number>[], weights: ArrayLike<number>, key: ArrayLike<number>): number {
  return queries.reduce((sum, query, head) => {
    let product = 0;
    for (let i = 0; i < key.length; i++) product += (query[i] ?? 0) * (key[i] ?? 0);
    return sum + (weights[head] ?? 0) * Math.max(0, product);
  }, 0);
}

/** Numbers of the k largest scores, ascending, of equal ones the first. */
export function chosenReference(scores: ArrayLike<number>, k: number): number[] {
  return Array.from(scores, (score, entry) => ({ score, entry }))
    .sort((a, b) => b.score - a.score || a.entry - b.entry)
    .slice(0, k)
    .map(({ entry }) => entry)
    .sort((a, b) => a - b);
}
