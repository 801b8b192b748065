/**
 * CPU references of the attention kernels, in double precision, over plain arrays (no paging).
 * Bound: attentionBound for f32 KV; with f16 KV the caller rounds keys and values first, so the same bound holds.
 */

/** Normalised mean squared error that f32 sums of a few thousand terms stay under. */
export const attentionBound = 1e-10;

export interface AttentionReference {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headLength: number;
  /** As in AttentionShape. */
  readonly window?: number | undefined;
  readonly softcap?: number | undefined;
  /** One a head. */
  readonly sinks?: Float32Array;
}

/** query: [head][length] already scaled; keys, values: [position][KV head][length]; gives [head][length]. The query is that of the last position. */
export function attentionReference(shape: AttentionReference, query: Float32Array, keys: Float32Array, values: Float32Array, positions: number): Float64Array {
  const { heads, kvHeads, headLength, window = positions, softcap, sinks } = shape;
  const first = Math.max(0, positions - window);
  const out = new Float64Array(heads * headLength);
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor(head / (heads / kvHeads));
    const at = (position: number): number => (position * kvHeads + kvHead) * headLength;
    const scores = Array.from({ length: positions - first }, (_, i) => {
      const score = dot(query, head * headLength, keys, at(first + i), headLength);
      return softcap === undefined ? score : softcap * Math.tanh(score / softcap);
    });
    const sink = sinks?.[head];
    const largest = Math.max(...scores, sink ?? Number.NEGATIVE_INFINITY);
    const weights = scores.map((score) => Math.exp(score - largest));
    const total = weights.reduce((sum, weight) => sum + weight, sink === undefined ? 0 : Math.exp(sink - largest));
    weights.forEach((weight, i) => {
      const position = first + i;
      for (let channel = 0; channel < headLength; channel++) {
        const index = head * headLength + channel;
        out[index] = (out[index] ?? 0) + (weight / total) * (values[at(position) + channel] ?? 0);
      }
    });
  }
  return out;
}

/** Rotation of interleaved pairs of one head by `position`, frequencies base^(-2i/rotaryLength). */
export function ropeReference(head: Float32Array, position: number, rotaryLength: number, base: number): Float64Array {
  const out = Float64Array.from(head);
  for (let i = 0; i < rotaryLength; i += 2) {
    const angle = position * base ** (-i / rotaryLength);
    const [a, b] = [head[i] ?? 0, head[i + 1] ?? 0];
    out[i] = a * Math.cos(angle) - b * Math.sin(angle);
    out[i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
  }
  return out;
}

/** What q8 makes of the values of one head: the nearest of 255 multiples of the largest magnitude / 127. */
export function roundQ8(head: Float32Array): { readonly scale: number; readonly codes: Int8Array } {
  const largest = head.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = Math.fround(largest / 127);
  return { scale, codes: Int8Array.from(head, (value) => (scale === 0 ? 0 : Math.round(value / scale))) };
}

/** A pool's words after these copies: the first `slots` of a block to another block, all from what was there before. */
export function copyBlocksReference(
  pool: Uint32Array,
  blockCount: number,
  blockLength: number,
  copies: readonly { readonly from: number; readonly to: number; readonly slots: number }[],
): Uint32Array {
  const after = pool.slice();
  const length = pool.length / blockCount;
  for (const { from, to, slots } of copies) after.set(pool.subarray(from * length, from * length + (length / blockLength) * slots), to * length);
  return after;
}

function dot(a: Float32Array, atA: number, b: Float32Array, atB: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (a[atA + i] ?? 0) * (b[atB + i] ?? 0);
  return sum;
}
