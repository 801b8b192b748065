/** CPU references of norms, in double precision; RMSNorm: activations.ref.ts. */

/**
 * NMSE of sums of up to 16,384 numbers in f32, over lanes and vectors of four. Of a row whose mean is 30 times its deviation the mean is off
 * by some 2e-7 of itself, 6e-6 of a deviation at most.
 */
export const normBound = 1e-11;

/** (x - mean) / sqrt(variance + epsilon) * weight + bias. */
export function layerNormReference(x: ArrayLike<number>, weight: ArrayLike<number>, bias: ArrayLike<number>, epsilon: number): Float64Array {
  const values = Float64Array.from(x);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * (weight[i] ?? 0) + (bias[i] ?? 0));
}
