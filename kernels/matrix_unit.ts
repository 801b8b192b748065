/**
 * Owns what a unit that multiplies matrices is, and what kernels that are written for one are told of it (lib/matrix_tiles.wgsl).
 * Refuses to find one: the device does.
 */

/** Matrices that a device multiplies at once, m x k by k x n, or what stands for it in tests (lib/subgroup_matrix_emulated.wgsl). */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** What is multiplied; sums are f32, those of i8 are i32. */
  readonly element: 'f16' | 'f32' | 'i8';
  readonly form: 'native' | 'emulated';
}

/** `16x16x16f16-native` */
export function unitName({ m, n, k, element, form }: MatrixUnit): string {
  return `${m}x${n}x${k}${element}-${form}`;
}

/** Elements of workgroup memory from row to row: more than 32 columns, so that rows lie in other banks, and a multiple of the 16 bytes that units load at once. i8 lie four in a word. */
const strides: Readonly<Record<MatrixUnit['element'], number>> = { f16: 40, f32: 36, i8: 12 };

export function unitParts({ m, n, k, element, form }: MatrixUnit): {
  readonly includes: Readonly<Record<string, string>>;
  readonly constants: Readonly<Record<string, number>>;
} {
  return {
    includes:
      element === 'i8'
        ? { MATRIX: `lib/subgroup_matrix_int8_${form}.wgsl` }
        : { ELEMENT: `element/${element}.wgsl`, MATRIX: `lib/subgroup_matrix_${form}.wgsl` },
    constants: { M: m, N: n, K: k, STRIDE: strides[element] },
  };
}
