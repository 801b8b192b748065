/** CPU references of softmax and of the largest numbers of a row, in double precision and by sorting. */

/** NMSE: exp() of a CPU device keeps about 1e-6. */
export const softmaxBound = 1e-11;

export function softmaxReference(x: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(x);
  const greatest = values.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  const weights = values.map((value) => Math.exp(value - greatest));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Ids of the k largest, equal ones by id. */
export function topKReference(x: ArrayLike<number>, k: number): number[] {
  return Array.from({ length: x.length }, (_, id) => id)
    .sort((a, b) => (x[b] ?? 0) - (x[a] ?? 0) || a - b)
    .slice(0, k);
}
