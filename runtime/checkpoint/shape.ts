/**
 * Owns a checkpoint that is a config.json alone: the tensors that its family asks for, with their shapes, all in one storage, and no bytes.
 * For whoever asks what a model would take before its weights are fetched. Refuses to be read.
 */
import { isBlockStorage, type StorageWithKernels } from '../../kernels/weights.ts';
import type { WeightSpec } from '../../models/family.ts';
import { InwardError } from '../errors.ts';
import { nameOfAll } from './experts.ts';
import { readConfigFile } from './folder.ts';
import { tensorSize } from './index.ts';
import { fileName } from './json.ts';
import { findStorageByName } from './storage.ts';
import type { Checkpoint, TensorHeader } from './types.ts';

/** Where rows are no whole blocks of the storage, converters take one of these. */
const fallbacks = ['Q8_0', 'BF16'];

/** Throws file_missing, checkpoint_invalid, model_unsupported. */
export function openShape(path: string, storage: StorageWithKernels, foresees = false): Checkpoint {
  const model = readConfigFile(path);
  const tensors = new Map<string, TensorHeader>();
  let end = 0;
  const add = (name: string, wanted: string, shape: readonly number[]): void => {
    const size = tensorSize(wanted, shape);
    tensors.set(name, { name, storage: wanted, shape, offset: end, size });
    end += size;
  };
  for (const spec of model.family.weights(model.family.readConfig(model.config, foresees)).values()) {
    for (const [tensor, shape] of listTensors(spec)) {
      if (tensors.has(tensor)) continue;
      const columns = spec.kind === 'matrix' || spec.kind === 'experts' ? (shape.at(-1) ?? 0) : undefined;
      add(
        tensor,
        spec.kind === 'ids' ? 'I64' : columns === undefined ? 'F32' : ([storage, ...fallbacks].find((candidate) => isWhole(candidate, columns)) ?? storage),
        shape,
      );
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
    fileAt: () => fileName(path),
    [Symbol.dispose]: () => undefined,
  };
}

/** Names and shapes; of experts a tensor a part. */
function listTensors(spec: WeightSpec): (readonly [name: string, shape: readonly number[]])[] {
  switch (spec.kind) {
    case 'host':
      return [];
    case 'vector':
      return spec.parts.map(({ tensor, rows, within }) => [tensor, [within?.rows ?? rows, ...(spec.columns === undefined ? [] : [spec.columns])]]);
    case 'matrix':
      return spec.parts.map(({ tensor, rows, within }) => [tensor, [within?.rows ?? rows, spec.storedColumns ?? spec.columns]]);
    case 'experts':
      return spec.parts.map((name) => [`${nameOfAll(name)}.weight`, [spec.experts, spec.rows, spec.storedColumns ?? spec.columns]]);
    case 'expertBias':
      return spec.parts.map((name) => [name, [spec.experts, spec.rows]]);
    case 'ids':
      return [[spec.tensor, [spec.rows, spec.columns]]];
  }
}

function isWhole(storage: string, columns: number): boolean {
  return isBlockStorage(storage as StorageWithKernels) && columns % (findStorageByName(storage)?.blockLength ?? 1) === 0;
}
