/**
 * Owns matrices as a checkpoint in memory, for benches and tests, so that the engine's own code finds their tensors and packs them for
 * the device.
 */
import type { StoredExample } from '../../kernels/random_stored.ref.ts';
import type { RefMatrix } from '../../kernels/stored.ref.ts';
import type { StorageWithKernels } from '../../kernels/weights.ts';
import type { Checkpoint, TensorHeader } from '../../runtime/checkpoint/types.ts';

/** The tensors of a matrix by what follows its name, and what config.json says of them. */
export interface Stored extends Pick<StoredExample, 'quantization'> {
  readonly matrix: Pick<RefMatrix, 'tensors'>;
}

/** A matrix as blocks of a file: one tensor. */
export function storeBlocks(storage: StorageWithKernels, rows: number, columns: number, blocks: Uint8Array): Stored {
  return { matrix: { tensors: new Map([['.weight', { storage, shape: [rows, columns], bytes: blocks }]]) }, quantization: { method: 'none' } };
}

/** More than any tensor has bytes: a position tells which tensor is meant. */
const stride = 2 ** 32;

/** A folder with matrices by name, all of one quantization. Throws RangeError for a read past a tensor's end. */
export function createCheckpoint(matrices: Readonly<Record<string, Stored>>): Checkpoint {
  const headers = new Map<string, TensorHeader>();
  const parts: Uint8Array[] = [];
  for (const [name, { matrix }] of Object.entries(matrices)) {
    for (const [suffix, { storage, shape, bytes }] of matrix.tensors) {
      headers.set(name + suffix, { name: name + suffix, storage, shape, offset: parts.length * stride, size: bytes.length });
      parts.push(bytes);
    }
  }
  return {
    path: '',
    fileSize: parts.reduce((sum, { length }) => sum + length, 0),
    metadata: new Map(),
    tensors: headers,
    format: 'folder',
    names: { nameOf: (name) => name, hasPairs: false, hasWholeNorms: false },
    quantization: Object.values(matrices)[0]?.quantization ?? { method: 'none' },
    read(position, into) {
      const start = position % stride;
      const part = parts[Math.floor(position / stride)];
      // Past the end of a typed array nothing is set.
      if (part === undefined || start + into.length > part.length) throw new RangeError('read past the end of a tensor');
      into.set(part.subarray(start, start + into.length));
    },
    fileAt: () => 'no file',
    [Symbol.dispose]: () => undefined,
  };
}
