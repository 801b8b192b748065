/**
 * Owns what a unit that multiplies matrices is, and what kernels that are written for one are told of it (lib/matrix_tiles.wgsl).
 * Refuses to find one: the device does.
 */

/** Matrices that a device multiplies at once, m x k by k x n, or what stands for it in tests (lib/subgroup_matrix_emulated.wgsl). */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** What is multiplied; sums are f32. */
  readonly element: 'f16' | 'f32';
  readonly form: 'native' | 'emulated';
}

/** `16x16x16f16-native` */
export function unitName({ m, n, k, element, form }: MatrixUnit): string {
  return `${m}x${n}x${k}${element}-${form}`;
}

/** Rows of a tile lie apart by more than the 32 numbers that they have, in other banks. */
export function unitParts({ m, n, k, element, form }: MatrixUnit): {
  readonly includes: Readonly<Record<string, string>>;
  readonly constants: Readonly<Record<string, number>>;
} {
  return {
    includes: { ELEMENT: `element/${element}.wgsl`, MATRIX: `lib/subgroup_matrix_${form}.wgsl` },
    constants: { M: m, N: n, K: k, STRIDE: element === 'f16' ? 40 : 36 },
  };
}
