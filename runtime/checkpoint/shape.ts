/**
 * Owns a checkpoint that is a config.json alone: the tensors that its family asks for, with their shapes, all in one storage, and no bytes.
 * For whoever asks what a model would take before its weights are fetched. Refuses to be read.
 */
import { isBlockStorage, type StorageWithKernels } from '../../kernels/weights.ts';
import { InwardError } from '../errors.ts';
import { readConfigFile } from './folder.ts';
import { tensorSize } from './index.ts';
import { findStorageByName } from './storage.ts';
import type { Checkpoint, TensorHeader } from './types.ts';

/** Where rows are no whole blocks of the storage, converters take one of these. */
const fallbacks = ['Q8_0', 'BF16'];

/** Throws file_missing, checkpoint_invalid, model_unsupported. */
export function openShape(path: string, storage: StorageWithKernels): Checkpoint {
  const model = readConfigFile(path);
  const tensors = new Map<string, TensorHeader>();
  let end = 0;
  const add = (name: string, wanted: string, shape: readonly number[]): void => {
    const size = tensorSize(wanted, shape);
    tensors.set(name, { name, storage: wanted, shape, offset: end, size });
    end += size;
  };
  for (const spec of model.family.weights(model.family.readConfig(model.config)).values()) {
    if (spec.kind === 'host') continue;
    for (const { tensor, rows, within } of spec.parts) {
      const all = within?.rows ?? rows;
      if (tensors.has(tensor)) continue;
      if (spec.kind === 'vector') add(tensor, 'F32', [all]);
      else {
        const columns = spec.storedColumns ?? spec.columns;
        add(tensor, [storage, ...fallbacks].find((candidate) => isWhole(candidate, columns)) ?? storage, [all, columns]);
      }
    }
  }
  return {
    path,
    fileSize: end,
    format: 'folder',
    metadata: new Map(),
    tensors,
    model,
    names: { nameOf: (name) => name, hasPairs: false, hasWholeNorms: false },
    quantization: { method: 'none' },
    read() {
      throw new InwardError('internal', { part: 'a shape has no bytes' });
    },
    [Symbol.dispose]: () => undefined,
  };
}

function isWhole(storage: string, columns: number): boolean {
  return isBlockStorage(storage as StorageWithKernels) && columns % (findStorageByName(storage)?.blockLength ?? 1) === 0;
}
