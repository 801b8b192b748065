/** CPU references of compressed.ts, in double precision; of turned.ts: heads.ref.ts. */

/**
 * NMSE of weighted sums of up to a thousand rows in f32 whose weights are powers of e of sums of up to 512 products: an error of 1e-6 in an exponent
 * is one of 1e-6 in a weight.
 */
export const compressedBound = 1e-10;

/** NMSE of one rounding to f16, at most 2^-11 of each number, beside that. */
export const entryBounds: Readonly<Record<'f16' | 'f32', number>> = { f16: 2 ** -22, f32: compressedBound };

export interface EntryForm {
  /** Of an entry's key. */
  readonly length: number;
  readonly ratio: number;
  /** Entries mix the first halves of the rows of the window before with the second halves of their own. */
  readonly overlaps: boolean;
  /** First channel of the row's values; gates follow them. */
  readonly start: number;
}

/** Weighted sum, per channel, of what an entry is made of; not normed and not turned. `rows`: of all tokens from the first on. */
export function entryReference(
  entry: number,
  rows: readonly ArrayLike<number>[],
  biases: ArrayLike<number>,
  { length, ratio, overlaps, start }: EntryForm,
): Float64Array {
  const width = (overlaps ? 2 : 1) * length;
  const slots = Array.from({ length: overlaps ? 2 * ratio : ratio }, (_, slot) => {
    const position = (overlaps ? entry - 1 : entry) * ratio + slot;
    return { row: rows[position], place: slot % ratio, half: overlaps && slot >= ratio ? length : 0 };
  });
  return Float64Array.from({ length }, (_, channel) => {
    const parts = slots.flatMap(({ row, place, half }) => {
      if (row === undefined) return [];
      const at = half + channel;
      return { value: row[start + at] ?? 0, weight: Math.exp((row[start + width + at] ?? 0) + (biases[place * width + at] ?? 0)) };
    });
    const total = parts.reduce((sum, { weight }) => sum + weight, 0);
    return parts.reduce((sum, { value, weight }) => sum + value * weight, 0) / total;
  });
}

/** One head's result over keys that are values too, and one more score whose value is zero. */
export function sharedAttentionReference(query: ArrayLike<number>, keys: readonly ArrayLike<number>[], sink: number): Float64Array {
  const scores = keys.map((key) => dot(query, key) * query.length ** -0.5);
  const largest = Math.max(sink, ...scores);
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = weights.reduce((sum, weight) => sum + weight, Math.exp(sink - largest));
  return Float64Array.from(query, (_, channel) => weights.reduce((sum, weight, i) => sum + weight * (keys[i]?.[channel] ?? 0), 0) / total);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
