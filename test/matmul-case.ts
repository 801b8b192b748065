/** Owns what tests of matmul kernels are made of: a packed matrix, its values, and activations. */
import type { Place } from '../kernels/kernel.ts';
import { randomFloats } from '../kernels/random.ref.ts';
import { type PackedMatrix, packedStorages, type StorageWithKernels } from '../kernels/weights.ts';
import type { Gpu } from './gpu.ts';
import { packMatrix } from './packed.ts';
import { randomMatrix } from './stored.ts';

export interface MatmulCase {
  readonly storage: StorageWithKernels;
  readonly rows: number;
  /** Storages with larger blocks get more: see widthOf. */
  readonly columns: number;
  readonly tokens: number;
  readonly place: Place;
  readonly isInterleaved?: boolean;
}

/** Columns of a matrix: storages with larger blocks get as many times as many. */
export function widthOf(storage: StorageWithKernels, columns: number): number {
  const { fileBlocks } = packedStorages[storage];
  return fileBlocks === 8 ? Math.ceil(columns / 64) * 256 : columns * fileBlocks;
}

export async function prepareMatmul(
  gpu: Gpu,
  { storage, rows, columns: wanted, tokens, place, isInterleaved = false }: MatmulCase,
): Promise<{ matrix: PackedMatrix; weights: Float64Array[]; x: Float32Array[] }> {
  const columns = widthOf(storage, wanted);
  const { file, weights } = randomMatrix(storage, rows, columns, rows + columns);
  const matrix = await packMatrix(gpu, storage, file, rows, columns, { place, isInterleaved, isWhole: isInterleaved });
  return { matrix, weights, x: Array.from({ length: tokens }, (_, token) => randomFloats(columns, token + 1)) };
}
