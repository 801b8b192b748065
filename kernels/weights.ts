/**
 * Owns the packed form of weights on the device (layout: lib/weights.wgsl) and the table of storages that have
 * kernels. Refuses files: sizes come in, slices come out.
 */
import { type Place, placeOf, type Vectors } from './kernel.ts';

export interface PackedStorage {
  /** File stem in quant/; also in labels. */
  readonly stem: string;
  /** File stem in repack/. */
  readonly repack: string;
  /** Bytes of 32 columns in the file. */
  readonly fileBlockSize: number;
  /** vec4u of codes a block of 32 columns. */
  readonly blockVectors: number;
  /** Has scales, so codes can be multiplied by int8 activations. */
  readonly hasAffine: boolean;
}

export const packedStorages: Readonly<Record<StorageWithKernels, PackedStorage>> = {
  F32: { stem: 'f32', repack: 'plain', fileBlockSize: 128, blockVectors: 8, hasAffine: false },
  F16: { stem: 'f16', repack: 'plain', fileBlockSize: 64, blockVectors: 4, hasAffine: false },
  BF16: { stem: 'bf16', repack: 'plain', fileBlockSize: 64, blockVectors: 4, hasAffine: false },
  Q4_0: { stem: 'q4_0', repack: 'q4_0', fileBlockSize: 18, blockVectors: 1, hasAffine: true },
  Q4_1: { stem: 'q4_1', repack: 'q4_1', fileBlockSize: 20, blockVectors: 1, hasAffine: true },
  Q8_0: { stem: 'q8_0', repack: 'q8_0', fileBlockSize: 34, blockVectors: 2, hasAffine: true },
};

export type StorageWithKernels = 'F32' | 'F16' | 'BF16' | 'Q4_0' | 'Q4_1' | 'Q8_0';

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
  /** A multiple of 32. */
  readonly columns: number;
  readonly shards: readonly Shard[];
}

/** Vectors of 16 bytes in a row of a packed matrix, and how many such rows, for `rows` rows of the matrix. */
export function packedExtent(storage: StorageWithKernels, rows: number, columns: number): { width: number; height: number } {
  const { blockVectors, hasAffine } = packedStorages[storage];
  const tiles = Math.ceil(rows / rowTile);
  return { width: (columns / blockColumns) * (rowTile / quadRows), height: tiles * (blockVectors * quadRows + (hasAffine ? 1 : 0)) };
}

/** Bytes that `rows` packed rows take. */
export function packedSize(storage: StorageWithKernels, rows: number, columns: number): number {
  const { width, height } = packedExtent(storage, rows, columns);
  return width * height * 16;
}

export function weightPlace({ shards }: PackedMatrix): Place {
  return shards[0] === undefined ? 'buffer' : placeOf(shards[0].packed);
}

/** Storage formats of the activations that a matmul reads. */
export interface Activations {
  readonly format: 'int8' | 'f32';
  /** int8 blocks lie in a buffer. */
  readonly vectors: Vectors;
}

/** Bytes of one activation row. */
export function activationRowSize(format: Activations['format'], columns: number): number {
  return format === 'int8' ? (columns / blockColumns) * 48 : columns * 4;
}
