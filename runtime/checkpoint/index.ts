/**
 * Owns the door `inward/checkpoint`: opens a model file, reads what it says about itself and its tensor bytes.
 * Refuses to hold the file in memory or to know what a family needs: that is the models' business.
 */
import { statSync } from 'node:fs';
import type { WeightSpec } from '../../models/family.ts';
import { InwardError } from '../errors.ts';
import { openFolder } from './folder.ts';
import { openGguf } from './gguf-file.ts';
import { optionalString } from './metadata.ts';
import { findStorageByName } from './storage.ts';
import type { Checkpoint, StorageName } from './types.ts';
import { isSystemError } from './window.ts';

export { listShards } from './folder.ts';
export {
  metadataBoolean,
  metadataInteger,
  metadataNumber,
  metadataString,
  metadataStrings,
  optionalBoolean,
  optionalInteger,
  optionalIntegers,
  optionalNumber,
  optionalString,
  optionalStrings,
} from './metadata.ts';
export { findStorageByName, type Storage } from './storage.ts';
export type { Checkpoint, MetadataValue, StorageName, TensorHeader, TensorNames } from './types.ts';

/**
 * Reads the headers of a GGUF file (of all parts, where the model is split), or of a folder with config.json and safetensors files, and keeps
 * them open until disposed. Throws file_missing (no readable regular file), gguf_invalid (file), checkpoint_invalid (folder), model_unsupported
 * (a folder of another family or quantization).
 */
export function openCheckpoint(path: string): Checkpoint {
  try {
    return isFolder(path) ? openFolder(path) : openGguf(path);
  } catch (error) {
    throw isSystemError(error) ? new InwardError('file_missing', { path }) : error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whatever is wrong with it, openFile says.
    return false;
  }
}

/** Elements of a tensor of this shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Bytes of a tensor of this storage and shape; throws model_unsupported for an unknown storage or a row that is not whole blocks. */
export function tensorSize(storage: StorageName, shape: readonly number[]): number {
  const found = findStorageByName(storage);
  if (found === undefined) throw new InwardError('model_unsupported', { part: 'storage', expected: 'a storage of GGUF', found: storage });
  const columns = shape.at(-1) ?? 1;
  if (columns % found.blockLength !== 0) {
    throw new InwardError('model_unsupported', { part: `row of ${storage}`, expected: `a multiple of ${found.blockLength} elements`, found: columns });
  }
  return (elementCount(shape) / found.blockLength) * found.blockSize;
}

/** A model file in a few numbers. */
export interface CheckpointSummary {
  /** As the engine calls it, or general.architecture of a family that it does not know; '' when the file does not say. */
  readonly family: string;
  /** general.name, '' when the file does not say. */
  readonly name: string;
  readonly parameterCount: number;
  readonly tensorCount: number;
  /** Bytes of the file and of its tensors. */
  readonly fileSize: number;
  readonly weightSize: number;
  /** Storages with the count of their tensors and their bytes, largest first. */
  readonly storages: readonly { readonly storage: StorageName; readonly count: number; readonly size: number }[];
}

/** Elements of a folder's tensors may be words of packed weights, and scales: what the family asks for is counted. */
function countParameters({ model }: Checkpoint): number {
  if (model === undefined) return 0;
  const { family, config } = model;
  return Array.from(family.weights(family.readConfig(config)).values(), specLength).reduce((sum, length) => sum + length, 0);
}

/** Elements of what a family asks for. */
function specLength(spec: WeightSpec): number {
  if (spec.kind === 'host' || spec.kind === 'ids') return 0;
  if (spec.kind === 'experts') return spec.experts * spec.rows * spec.parts.length * (spec.storedColumns ?? spec.columns);
  if (spec.kind === 'expertBias') return spec.experts * spec.rows * spec.parts.length;
  const rows = spec.parts.reduce((sum, part) => sum + part.rows, 0);
  return spec.kind === 'matrix' ? rows * (spec.storedColumns ?? spec.columns) : rows * (spec.columns ?? 1);
}

/** What a person wants to know about a model file. Throws checkpoint_invalid, model_unsupported for a folder. */
export function describeCheckpoint(checkpoint: Checkpoint): CheckpointSummary {
  const byStorage = new Map<StorageName, { storage: StorageName; count: number; size: number }>();
  let elements = 0;
  let weightSize = 0;
  for (const { storage, shape, size } of checkpoint.tensors.values()) {
    const row = byStorage.get(storage) ?? { storage, count: 0, size: 0 };
    byStorage.set(storage, { storage, count: row.count + 1, size: row.size + size });
    elements += elementCount(shape);
    weightSize += size;
  }
  return {
    family: checkpoint.model?.family.name ?? optionalString(checkpoint, 'general.architecture') ?? '',
    name: optionalString(checkpoint, 'general.name') ?? '',
    parameterCount: checkpoint.format === 'folder' ? countParameters(checkpoint) : elements,
    tensorCount: checkpoint.tensors.size,
    fileSize: checkpoint.fileSize,
    weightSize,
    storages: [...byStorage.values()].sort((a, b) => b.size - a.size),
  };
}
