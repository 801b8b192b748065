/**
 * Owns the opening of a checkpoint folder: config.json, and model.safetensors or the files that model.safetensors.index.json names. To the
 * rest of the engine they are one file, each shard behind the one before. Refuses names that lead out of the folder.
 */
import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FolderModel } from '../../models/folder.ts';
import { folderForms } from '../../models/folders.ts';
import { InwardError } from '../errors.ts';
import { createConfigReader } from './config.ts';
import { describe, invalidCheckpoint, isObject, type JsonObject, printable, readJsonObject } from './json.ts';
import { type Quantization, readQuantization } from './quantization.ts';
import { readSafetensors } from './safetensors.ts';
import type { Checkpoint, TensorHeader } from './types.ts';
import { openFile, readFully } from './window.ts';

/** What a folder's tensors mean. */
export interface FolderSource {
  readonly model: FolderModel;
  readonly quantization: Quantization;
}

/** Bytes; real ones have some kB, an index of 100,000 tensors 10 MB. */
const jsonLimit = 64 * 2 ** 20;
const shardLimit = 4096;

/** Throws file_missing, checkpoint_invalid, model_unsupported. */
export function openFolder(path: string): Checkpoint {
  const config = readJsonFile(path, 'config.json');
  const reader = createConfigReader(config);
  const type = reader.string('model_type');
  const form = folderForms.get(type);
  if (form === undefined) reader.demand(false, 'model_type', [...folderForms.keys()].join(', '), type);
  const files: Shard[] = [];
  try {
    const model = (form as NonNullable<typeof form>).read(reader);
    const source = { model, quantization: readQuantization(reader) };
    const tensors = new Map<string, TensorHeader>();
    for (const [name, expected] of readShards(path)) {
      const file = openShard(join(path, name), files.at(-1)?.end ?? 0);
      files.push(file);
      const headers = readSafetensors(file.fd, file.end - file.start, name, file.start);
      for (const header of headers) addTensor(tensors, header, name);
      checkIndex(headers, name, expected ?? []);
    }
    return createCheckpoint(path, files, tensors, source);
  } catch (error) {
    for (const { fd } of files) closeSync(fd);
    throw error;
  }
}

interface Shard {
  readonly fd: number;
  /** Of its bytes among those of all files. */
  readonly start: number;
  readonly end: number;
}

function openShard(path: string, start: number): Shard {
  const fd = openFile(path);
  return { fd, start, end: start + fstatSync(fd).size };
}

function readJsonFile(folder: string, name: string): JsonObject {
  const fd = openFile(join(folder, name));
  try {
    const { size } = fstatSync(fd);
    if (size > jsonLimit) throw invalidCheckpoint(name, `at most ${jsonLimit} bytes`, size);
    return readJsonObject(readFileSync(fd), name);
  } finally {
    closeSync(fd);
  }
}

/** Names of the files, with the tensors that the index puts in each; undefined where there is no index. */
function readShards(folder: string): Map<string, readonly string[] | undefined> {
  const index = 'model.safetensors.index.json';
  if (isThere(join(folder, 'model.safetensors')) || !isThere(join(folder, index))) return new Map([['model.safetensors', undefined]]);
  const map = readJsonFile(folder, index)['weight_map'];
  if (!isObject(map)) throw invalidCheckpoint(`weight_map of ${index}`, 'an object', describe(map));
  const shards = new Map<string, string[]>();
  for (const [tensor, file] of Object.entries(map)) {
    // One name of the folder itself: no path, no drive, nothing hidden.
    if (typeof file !== 'string' || !/^[A-Za-z0-9_][\w.-]{0,200}\.safetensors$/.test(file)) {
      throw invalidCheckpoint(
        `weight_map of ${index}`,
        'names of safetensors files in this folder',
        typeof file === 'string' ? 'another name' : describe(file),
      );
    }
    const list = shards.get(file) ?? [];
    shards.set(file, list);
    list.push(tensor);
  }
  if (shards.size === 0 || shards.size > shardLimit) throw invalidCheckpoint(`files of ${index}`, `1 to ${shardLimit}`, shards.size);
  return shards;
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Whatever is wrong with it, openFile says.
    return true;
  }
}

/** Two tensors of one name would leave open which one is meant. */
function addTensor(tensors: Map<string, TensorHeader>, header: TensorHeader, file: string): void {
  if (tensors.has(header.name)) throw invalidCheckpoint(`tensor ${printable(header.name, 'with another name')}`, 'one of this name', `a second one in ${file}`);
  tensors.set(header.name, header);
}

/** A file has all tensors that the index puts there; it may have more. */
function checkIndex(headers: readonly TensorHeader[], file: string, expected: readonly string[]): void {
  const names = new Set(headers.map(({ name }) => name));
  const missing = expected.find((name) => !names.has(name));
  if (missing !== undefined) throw invalidCheckpoint(`tensor ${printable(missing, 'of the index')}`, `to be in ${file}`, 'nothing');
}

function createCheckpoint(path: string, files: readonly Shard[], tensors: Map<string, TensorHeader>, source: FolderSource): Checkpoint {
  const fileSize = files.at(-1)?.end ?? 0;
  let isOpen = true;
  let end = fileSize;
  const computed: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  // What follows from config.json lies behind all files.
  for (const [name, values] of source.model.computed) {
    tensors.set(name, { name, storage: 'F32', shape: [values.length], offset: end, size: values.byteLength });
    computed.push({ start: end, bytes: new Uint8Array(values.buffer) });
    end += values.byteLength;
  }
  return {
    path,
    fileSize,
    metadata: source.model.settings,
    tensors,
    source,
    read(position, into) {
      if (!isOpen) throw new InwardError('internal', { part: 'checkpoint: read after dispose' });
      const file = files.find((candidate) => position >= candidate.start && position + into.byteLength <= candidate.end);
      if (file !== undefined) return readFully(file.fd, position - file.start, into, invalidCheckpoint);
      const made = computed.find(({ start, bytes }) => position >= start && position + into.byteLength <= start + bytes.length);
      if (made === undefined) throw invalidCheckpoint('read', `within one of the files, ${fileSize} bytes`, position + into.byteLength);
      into.set(made.bytes.subarray(position - made.start, position - made.start + into.byteLength));
    },
    [Symbol.dispose]() {
      if (isOpen) for (const { fd } of files) closeSync(fd);
      isOpen = false;
    },
  };
}
