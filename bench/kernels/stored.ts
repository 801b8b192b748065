/** Owns matrices as a checkpoint in memory, so that the engine's own loader packs them for the device. */
import type { StorageWithKernels } from '../../kernels/weights.ts';
import type { Checkpoint, TensorHeader } from '../../runtime/checkpoint/types.ts';

/** A matrix as blocks of a file. */
export interface Stored {
  readonly storage: StorageWithKernels;
  readonly rows: number;
  readonly columns: number;
  readonly blocks: Uint8Array;
}

/** More than any matrix has bytes: a position tells which matrix is meant. */
const stride = 2 ** 32;

/** Tensors `m0`, `m1` and so on. */
export function createCheckpoint(matrices: readonly Stored[]): Checkpoint {
  const headers = matrices.map(
    ({ storage, rows, columns, blocks }, index): TensorHeader => ({
      name: `m${index}`,
      storage,
      shape: [rows, columns],
      offset: index * stride,
      size: blocks.length,
    }),
  );
  return {
    path: '',
    fileSize: 0,
    metadata: new Map(),
    tensors: new Map(headers.map((header) => [header.name, header])),
    read: (position, into) => {
      const start = position % stride;
      into.set(matrices[Math.floor(position / stride)]?.blocks.subarray(start, start + into.length) ?? []);
    },
    [Symbol.dispose]: () => undefined,
  };
}
