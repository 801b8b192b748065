/** Owns matrices of every storage as tests take them: what the checkpoint's own code makes of random tensors, and the values by reference. */
import { createCheckpoint } from '../bench/kernels/stored.ts';
import { dequantizeRow } from '../kernels/formats.ref.ts';
import { randomFileRows } from '../kernels/random.ref.ts';
import { randomStored, type StoredExample } from '../kernels/random_stored.ref.ts';
import { fileRowSize, type Heads } from '../kernels/repack.ts';
import { storedRow } from '../kernels/stored.ref.ts';
import { isBlockStorage, type StorageWithKernels, type StripStorage } from '../kernels/weights.ts';
import { findMatrix } from '../runtime/checkpoint/stored.ts';
import type { StoredMatrix } from '../runtime/checkpoint/strips.ts';

/** The matrix of this example as the checkpoint's code finds it. */
export function findStored(example: StoredExample, heads?: Heads): StoredMatrix {
  const { rows, columns } = example.matrix;
  return findMatrix(createCheckpoint({ m: example }), { tensor: example.matrix.tensors.has('_blocks') ? 'm' : 'm.weight', rows, heads }, columns);
}

/** Rows of a matrix with at least this many, as files of the storage have them. */
function fileRows(storage: StripStorage, rows: number): number {
  const step = { AWQ: 8, GPTQ2: 16, GPTQ3: 32, GPTQ4: 8, GPTQ8: 4, CT_INT4: 1, CT_INT8: 1, FP8: 1, FP4: 1, NF4: 1 }[storage];
  return Math.ceil(rows / step) * step;
}

/** A random matrix of any storage: what packMatrix takes, and its rows. */
export function randomMatrix(
  storage: StorageWithKernels,
  rows: number,
  columns: number,
  seed: number,
): { file: Uint8Array | StoredMatrix; weights: Float64Array[] } {
  if (!isBlockStorage(storage)) {
    const example = randomStored(storage, fileRows(storage, rows), columns, seed, {
      isPlain: true,
      scales: storage === 'FP8' ? 'F32' : seed % 2 === 0 ? 'F16' : 'BF16',
    });
    return { file: findStored(example), weights: Array.from({ length: rows }, (_, row) => storedRow(storage, example.matrix, row)) };
  }
  const file = randomFileRows(storage, rows, columns, seed);
  const rowSize = fileRowSize(storage, columns);
  return { file, weights: Array.from({ length: rows }, (_, row) => dequantizeRow(storage, file.subarray(row * rowSize, (row + 1) * rowSize), columns)) };
}
