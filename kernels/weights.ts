/**
 * Owns the packed form of weights on the device (layout: lib/weights.wgsl) and the table of storages that have
 * kernels. Refuses files: sizes come in, slices come out.
 */
import { type Place, placeOf, type Slice, type Vectors } from './kernel.ts';
import type { grids } from './repack/grids.ts';

/** How a storage lies in a file and on the device. */
export interface PackedStorage {
  /** File stem in quant/; also in labels. */
  readonly stem: string;
  /** File stem in repack/. */
  readonly repack: string;
  /** Bytes of a block of the file, and how many blocks of 32 columns it holds; 0 and 1 where a storage is several tensors (repack/strips.wgsl). */
  readonly fileBlockSize: number;
  readonly fileBlocks: number;
  /** vec4u of codes a block of 32 columns, and words besides: scales, then further bits of codes. */
  readonly blockVectors: number;
  readonly blockWords: number;
  /** Has a word for each super-block of 256 columns. */
  readonly hasSuper: boolean;
  /** Its codes are multiplied by int8 activations where those are asked for: codes of four and five bits, as measured (bench/README.md). */
  readonly hasInt8: boolean;
  /** Of a code, in storages of several tensors. */
  readonly bits?: 2 | 3 | 4 | 8;
  /** What codes are looked up in when the file is repacked. */
  readonly grid?: keyof typeof grids;
}

function row(
  stem: string,
  repack: string,
  [fileBlockSize, fileBlocks]: readonly [number, number],
  [blockVectors, blockWords]: readonly [number, number],
  more: { readonly hasSuper?: boolean; readonly hasInt8?: boolean; readonly bits?: 2 | 3 | 4 | 8; readonly grid?: keyof typeof grids } = {},
): PackedStorage {
  return { stem, repack, fileBlockSize, fileBlocks, blockVectors, blockWords, hasSuper: false, hasInt8: false, ...more };
}

/** Storages that are runs of blocks in one tensor, as GGUF has them; F32, F16 and BF16 are so everywhere. */
export type BlockStorage =
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'Q4_0'
  | 'Q4_1'
  | 'Q5_0'
  | 'Q5_1'
  | 'Q8_0'
  | 'Q2_K'
  | 'Q3_K'
  | 'Q4_K'
  | 'Q5_K'
  | 'Q6_K'
  | 'IQ4_NL'
  | 'IQ4_XS'
  | 'IQ2_XXS'
  | 'IQ2_XS'
  | 'IQ2_S'
  | 'IQ3_XXS'
  | 'IQ3_S'
  | 'IQ1_S'
  | 'IQ1_M'
  | 'TQ1_0'
  | 'TQ2_0'
  | 'MXFP4'
  | 'NVFP4';

/** Storages of safetensors checkpoints that are several tensors (repack/strips.wgsl); CT is compressed-tensors. */
export type StripStorage = 'AWQ' | 'GPTQ2' | 'GPTQ3' | 'GPTQ4' | 'GPTQ8' | 'CT_INT4' | 'CT_INT8' | 'FP8' | 'FP4' | 'NF4';

export type StorageWithKernels = BlockStorage | StripStorage;

const hasInt8 = true;
const hasSuper = true;
const strips = [0, 1] as const;

/** Sizes of the file's blocks: GGML_QUANT_SIZES of gguf-py 0.19.0. */
export const packedStorages: Readonly<Record<StorageWithKernels, PackedStorage>> = {
  F32: row('f32', 'plain', [128, 1], [8, 0]),
  F16: row('f16', 'plain', [64, 1], [4, 0]),
  BF16: row('bf16', 'plain', [64, 1], [4, 0]),
  Q4_0: row('q4_0', 'q4_0', [18, 1], [1, 1], { hasInt8 }),
  Q4_1: row('q4_1', 'q4_1', [20, 1], [1, 1], { hasInt8 }),
  Q5_0: row('q5_0', 'q5_0', [22, 1], [1, 2], { hasInt8 }),
  Q5_1: row('q5_1', 'q5_1', [24, 1], [1, 2], { hasInt8 }),
  Q8_0: row('q8_0', 'q8_0', [34, 1], [2, 1]),
  Q2_K: row('q2_k', 'q2_k', [84, 8], [0, 3], { hasSuper }),
  Q3_K: row('q3_k', 'q3_k', [110, 8], [0, 4], { hasSuper }),
  Q4_K: row('q4_k', 'q4_k', [144, 8], [1, 1], { hasSuper, hasInt8 }),
  Q5_K: row('q5_k', 'q5_k', [176, 8], [1, 2], { hasSuper, hasInt8 }),
  Q6_K: row('q6_k', 'q6_k', [210, 8], [1, 3], { hasSuper }),
  IQ4_NL: row('iq4_nl', 'q4_0', [18, 1], [1, 1]),
  IQ4_XS: row('iq4_xs', 'iq4_xs', [136, 8], [1, 1], { hasSuper }),
  IQ2_XXS: row('iq2', 'iq2_xxs', [66, 8], [1, 1], { hasSuper, grid: 'IQ2_XXS' }),
  IQ2_XS: row('iq2', 'iq2_xs', [74, 8], [1, 1], { hasSuper, grid: 'IQ2_XS' }),
  IQ2_S: row('iq2', 'iq2_s', [82, 8], [1, 1], { hasSuper, grid: 'IQ2_S' }),
  IQ3_XXS: row('iq3_xxs', 'iq3_xxs', [98, 8], [1, 1], { hasSuper, grid: 'IQ3_XXS' }),
  IQ3_S: row('iq3_s', 'iq3_s', [110, 8], [1, 1], { hasSuper, grid: 'IQ3_S' }),
  IQ1_S: row('iq1', 'iq1_s', [50, 8], [1, 1], { hasSuper, grid: 'IQ1_S' }),
  IQ1_M: row('iq1', 'iq1_m', [56, 8], [1, 1], { hasSuper, grid: 'IQ1_S' }),
  TQ1_0: row('tq', 'tq1_0', [54, 8], [0, 2], { hasSuper }),
  TQ2_0: row('tq', 'tq2_0', [66, 8], [0, 2], { hasSuper }),
  MXFP4: row('mxfp4', 'mxfp4', [17, 1], [1, 1]),
  NVFP4: row('nvfp4', 'nvfp4', [36, 2], [1, 1]),
  // The others keep theirs in several tensors.
  AWQ: row('int4', 'awq', strips, [1, 1], { hasInt8, bits: 4 }),
  GPTQ2: row('int2', 'gptq', strips, [0, 3], { bits: 2 }),
  GPTQ3: row('int3', 'gptq', strips, [0, 4], { bits: 3 }),
  GPTQ4: row('int4', 'gptq', strips, [1, 1], { hasInt8, bits: 4 }),
  GPTQ8: row('int8', 'gptq', strips, [2, 1], { bits: 8 }),
  CT_INT4: row('int4', 'pack', strips, [1, 1], { hasInt8, bits: 4 }),
  CT_INT8: row('int8', 'pack', strips, [2, 1], { bits: 8 }),
  FP8: row('fp8', 'fp8', strips, [2, 1]),
  FP4: row('mxfp4', 'fp4', strips, [1, 1]),
  NF4: row('nf4', 'nf4', strips, [1, 1]),
};

export function isBlockStorage(storage: StorageWithKernels): storage is BlockStorage {
  return packedStorages[storage].fileBlockSize > 0;
}

/** Rows of a quad, and of a tile of eight quads. */
export const quadRows = 4;
export const rowTile = 32;
export const blockColumns = 32;

/** Rows of a packed matrix that one binding holds. */
export interface Shard {
  readonly firstRow: number;
  readonly rows: number;
  readonly packed: Vectors;
}

export interface PackedMatrix {
  readonly storage: StorageWithKernels;
  readonly rows: number;
  /** A multiple of 32, and of the storage's block. */
  readonly columns: number;
  readonly shards: readonly Shard[];
  /** u32: which number of an activation row comes at each column, where they are sorted by group (GPTQ's act-order). */
  readonly order?: Slice;
}

/** What the columns of a matrix are a multiple of. */
export function columnStep(storage: StorageWithKernels): number {
  const { hasSuper: isSuper, fileBlocks } = packedStorages[storage];
  return blockColumns * (isSuper ? 8 : fileBlocks);
}

/** Vectors of 16 bytes in a row of a packed matrix, and how many such rows, for `rows` rows of the matrix. */
export function packedExtent(storage: StorageWithKernels, rows: number, columns: number): { width: number; height: number } {
  const { blockVectors, blockWords, hasSuper: isSuper } = packedStorages[storage];
  const tiles = Math.ceil(rows / rowTile);
  const height = tiles * (blockVectors * quadRows + blockWords) + (isSuper ? Math.ceil(tiles / 8) : 0);
  return { width: (columns / blockColumns) * (rowTile / quadRows), height };
}

/** Bytes that `rows` packed rows take. */
export function packedSize(storage: StorageWithKernels, rows: number, columns: number): number {
  const { width, height } = packedExtent(storage, rows, columns);
  return width * height * 16;
}

export function weightPlace({ shards }: PackedMatrix): Place {
  return shards[0] === undefined ? 'buffer' : placeOf(shards[0].packed);
}

/** What a matmul multiplies by. */
export interface Activations {
  /** What the f32 numbers are on the way in: as they are, or rounded to int8 with a scale for each block of 32 (matmul_int8.wgsl). */
  readonly format: 'int8' | 'f32';
  readonly vectors: Vectors;
}
