/** CPU reference of matrix times activations, in double precision, and its bounds. Values of the formats: formats.ref.ts. */

/** y = W x for one activation row. */
export function matvecReference(rows: readonly Float64Array[], x: ArrayLike<number>): Float64Array {
  return Float64Array.from(rows, (row) => row.reduce((sum, weight, i) => sum + weight * (x[i] ?? 0), 0));
}

/** NMSE of an f32 matmul: rounding of sums of a few thousand products. */
export const matmulF32Bound = 1e-11;
/** NMSE with int8 activations against the exact product: half a step of 1/127 of a block's largest value. */
export const matmulInt8Bound = 3e-4;
