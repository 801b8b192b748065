/** CPU references of the activation kernels, in double precision. */

/** NMSE of f32 element-wise work; exp() of a CPU device keeps about 1e-6. */
export const elementwiseBound = 1e-11;

export function rmsNormReference(x: ArrayLike<number>, weight: ArrayLike<number>, epsilon: number): Float64Array {
  const values = Float64Array.from(x);
  const mean = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  return values.map((value, i) => (value / Math.sqrt(mean + epsilon)) * (weight[i] ?? 0));
}

/** Values that int8 blocks of 32 stand for; words as lib/int8.wgsl lays them out. */
export function dequantizeInt8(words: Uint32Array, blocks: number): Float64Array {
  const bytes = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  return Float64Array.from({ length: blocks * 32 }, (_, i) => (bytes[Math.floor(i / 32) * 48 + (i % 32)] ?? 0) * (floats[Math.floor(i / 32) * 12 + 8] ?? 0));
}
