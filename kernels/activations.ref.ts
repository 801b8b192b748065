/** CPU references of the activation kernels, in double precision. */

/** NMSE of f32 element-wise work; exp() of a CPU device keeps about 1e-6. */
export const elementwiseBound = 1e-11;

export function rmsNormReference(x: ArrayLike<number>, weight: ArrayLike<number>, epsilon: number): Float64Array {
  const values = Float64Array.from(x);
  const mean = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  return values.map((value, i) => (value / Math.sqrt(mean + epsilon)) * (weight[i] ?? 0));
}

/** Numbers rounded to int8, halves to even, with a scale for each block of 32: its largest magnitude over 127. What smaller than 1e-36 is, is zero. */
export function int8Reference(row: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(row);
  return values.map((value, i) => {
    const first = i - (i % 32);
    const largest = values.subarray(first, first + 32).reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    return largest > 1e-36 ? (roundToEven((value * 127) / largest) * largest) / 127 : 0;
  });
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const isHalf = value - below === 0.5;
  return isHalf ? below + (Math.abs(below) % 2) : Math.round(value);
}
