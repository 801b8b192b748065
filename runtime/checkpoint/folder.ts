/**
 * Owns the opening of a checkpoint folder: config.json, and model.safetensors or the files that model.safetensors.index.json names. To the
 * rest of the engine they are one file, each shard behind the one before. Refuses names that lead out of the folder.
 */
import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { families } from '../../models/families.ts';
import type { Family, ModelConfig } from '../../models/family.ts';
import { createConfigReader } from './config.ts';
import { describe, fileName, invalidCheckpoint, isObject, type Json, type JsonObject, printable, readJson } from './json.ts';
import { readQuantization } from './quantization.ts';
import { readSafetensors } from './safetensors.ts';
import { readSentenceKeys } from './sentence.ts';
import { Shards } from './shards.ts';
import type { Checkpoint, TensorHeader, TensorNames } from './types.ts';
import { openFile } from './window.ts';

/** Bytes; real ones have some kB, an index of 100,000 tensors 10 MB. */
const jsonLimit = 64 * 2 ** 20;
const shardLimit = 4096;

/** Throws file_missing, checkpoint_invalid, model_unsupported. */
export function openFolder(path: string): Checkpoint {
  const readBeside = (name: string): Json | undefined => (isThere(join(path, name)) ? readJsonFile(path, name) : undefined);
  const { family, config } = readConfigFile(join(path, 'config.json'), (own) => (own.isEncoder ? readSentenceKeys(readBeside) : {}));
  const files = new Shards(invalidCheckpoint);
  try {
    const quantization = readQuantization(config);
    const tensors = new Map<string, TensorHeader>();
    for (const [name, expected] of readShards(path)) {
      const file = files.add(join(path, name), expected && describeShard(expected));
      const headers = readSafetensors(file.fd, file.end - file.start, name, file.start);
      for (const header of headers) addTensor(tensors, header, name);
      checkIndex(headers, name, expected ?? []);
    }
    return createCheckpoint(path, files, tensors, { model: { family, config }, names: createNames(tensors), quantization });
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/** Models with other parts than text have what a family reads in an object of its own; what is not there stands beside it. */
function withTextPart(config: JsonObject): JsonObject {
  const text = config['text_config'];
  return isObject(text) ? { ...config, ...text } : config;
}

function findFamily(config: ModelConfig): Family {
  const type = config.string('model_type');
  const family = families.find(({ modelTypes }) => modelTypes.includes(type));
  if (family !== undefined) return family;
  const known = families.flatMap(({ modelTypes }) => modelTypes).join(', ');
  config.demand(false, 'model_type', known, type);
  throw new Error('a demand that is not met throws');
}

/** What stands before the names of a text model's tensors where it is a part of another. */
const prefixes: readonly (readonly [model: string, head: string])[] = [
  ['model.', 'lm_head.'],
  ['model.language_model.', 'lm_head.'],
  ['language_model.model.', 'language_model.lm_head.'],
];

function createNames(tensors: ReadonlyMap<string, TensorHeader>): TensorNames {
  const has = (stem: string): boolean => ['.weight', '.qweight', '.weight_packed'].some((suffix) => tensors.has(stem + suffix));
  const [model, head] = prefixes.find(([prefix]) => has(`${prefix}embed_tokens`)) ?? ['model.', 'lm_head.'];
  if (has('bert.embeddings.word_embeddings')) return { nameOf: (name) => `bert.${name}`, hasPairs: false, hasWholeNorms: false };
  return { nameOf: (name) => name.replace(/^model\./, model).replace(/^lm_head\./, head), hasPairs: false, hasWholeNorms: false };
}

/** A config.json and the family that it names; `more`: keys that other files have for it. Throws file_missing, checkpoint_invalid, model_unsupported. */
export function readConfigFile(path: string, more: (family: Family) => JsonObject = () => ({})): NonNullable<Checkpoint['model']> {
  const json = readJsonFile(dirname(path), basename(path));
  if (!isObject(json)) throw invalidCheckpoint(basename(path), 'an object', describe(json));
  const own = withTextPart(json);
  const family = findFamily(createConfigReader(own));
  return { family, config: createConfigReader({ ...own, ...more(family) }) };
}

function readJsonFile(folder: string, name: string): Json {
  const fd = openFile(join(folder, name));
  try {
    const { size } = fstatSync(fd);
    if (size > jsonLimit) throw invalidCheckpoint(name, `at most ${jsonLimit} bytes`, size);
    return readJson(readFileSync(fd), name);
  } finally {
    closeSync(fd);
  }
}

/** Names of the safetensors files that a folder's index asks for, or the one that there is without. Throws file_missing, checkpoint_invalid. */
export function listShards(folder: string): string[] {
  return [...readShards(folder).keys()];
}

/** Names of the files, with the tensors that the index puts in each; undefined where there is no index. */
function readShards(folder: string): Map<string, readonly string[] | undefined> {
  const index = 'model.safetensors.index.json';
  if (isThere(join(folder, 'model.safetensors')) || !isThere(join(folder, index))) return new Map([['model.safetensors', undefined]]);
  const json = readJsonFile(folder, index);
  const map = isObject(json) ? json['weight_map'] : undefined;
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

/** What the index says of a file. */
function describeShard([first = '', ...others]: readonly string[]): string {
  return `tensor ${printable(first, 'of another name')} and ${others.length} more, as the index says`;
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
  if (missing !== undefined) throw invalidCheckpoint(`tensor ${printable(missing, 'of the index')} in ${file}`, 'to be there, as the index says', 'nothing');
}

function createCheckpoint(
  path: string,
  files: Shards,
  tensors: Map<string, TensorHeader>,
  meaning: Pick<Checkpoint, 'model' | 'names' | 'quantization'>,
): Checkpoint {
  return {
    path,
    fileSize: files.size,
    format: 'folder',
    metadata: new Map(),
    tensors,
    ...meaning,
    read: (position, into) => files.read(position, into),
    fileAt: (position) => (position === undefined ? fileName(path) : files.nameAt(position)),
    [Symbol.dispose]: () => files[Symbol.dispose](),
  };
}
