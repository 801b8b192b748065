/**
 * Owns the opening of a GGUF file, or of a model that is split into several (llama.cpp's gguf-split: NAME-00001-of-00003.gguf ...): the first
 * has the metadata, each has the headers of its own tensors. Refuses parts that do not belong together. All failures are gguf_invalid or file_missing.
 */
import { basename, dirname, join } from 'node:path';
import { families } from '../../models/families.ts';
import { type GgufHeader, readGguf } from './gguf.ts';
import { createGgufConfig, createGgufNames } from './gguf-config.ts';
import { fileName, inFile, printable } from './json.ts';
import { optionalInteger } from './metadata.ts';
import { type Shard, Shards } from './shards.ts';
import type { Checkpoint, TensorHeader } from './types.ts';
import { invalid, readFully } from './window.ts';

const partLimit = 0xffff;

/** Throws file_missing, gguf_invalid. `path`: of the first part, where there are several. */
export function openGguf(path: string): Checkpoint {
  const shards = new Shards(invalid);
  try {
    const first = readHeader(shards.add(path));
    const tensors = new Map(first.tensors);
    const count = readCount(first, 'split.count');
    if (count > 1) for (const name of otherParts(path, first, count)) addPart(tensors, shards, join(dirname(path), name), count);
    const total = optionalInteger(first, 'split.tensors.count', 0, 2 ** 31 - 1);
    if (count > 1 && total !== undefined && total !== tensors.size) throw invalid('tensors of all parts', total, tensors.size);
    return createCheckpoint(path, shards, { metadata: first.metadata, tensors });
  } catch (error) {
    shards[Symbol.dispose]();
    throw error;
  }
}

function readHeader({ fd, path, start, end }: Shard): GgufHeader {
  const read = (): GgufHeader =>
    readGguf(fd, end - start, (strings, key) => {
      const bytes = Buffer.allocUnsafeSlow(strings.size);
      readFully(fd, strings.position, bytes);
      return strings.decode(bytes, `metadata ${key}`);
    });
  return inFile(fileName(path), read);
}

function readCount(header: GgufHeader, key: string): number {
  return optionalInteger(header, key, 0, partLimit) ?? 0;
}

/** Names of the parts behind the first, which are numbered from 1. */
function otherParts(path: string, first: GgufHeader, count: number): string[] {
  const number = readCount(first, 'split.no') + 1;
  const [, stem] = /^(.*)-\d{5}-of-\d{5}\.gguf$/.exec(basename(path)) ?? [];
  const nameOf = (part: number): string => `${stem}-${String(part).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;
  if (number !== 1 || stem === undefined || basename(path) !== nameOf(1))
    throw invalid('file', `part 1 of ${count}, with a name that ends in -00001-of-${String(count).padStart(5, '0')}.gguf`, `part ${number}`);
  return Array.from({ length: count - 1 }, (_, i) => nameOf(i + 2));
}

function addPart(tensors: Map<string, TensorHeader>, shards: Shards, path: string, count: number): void {
  const due = Number(/-(\d{5})-of-/.exec(basename(path))?.[1]);
  const shard = shards.add(path, `part ${due} of ${count}`);
  const header = readHeader(shard);
  const [found, number] = [readCount(header, 'split.count'), readCount(header, 'split.no') + 1];
  if (found !== count || number !== due) throw invalid(`file ${fileName(path)}`, `part ${due} of ${count}`, `part ${number} of ${found}`);
  for (const [name, tensor] of header.tensors) {
    if (tensors.has(name)) throw invalid(`tensor ${printable(name, 'with another name')}`, 'one of this name', `a second one in ${fileName(path)}`);
    tensors.set(name, { ...tensor, offset: tensor.offset + shard.start });
  }
}

function createCheckpoint(path: string, shards: Shards, header: GgufHeader): Checkpoint {
  const { metadata, tensors } = header;
  const architecture = metadata.get('general.architecture');
  const family = families.find(({ gguf }) => gguf?.architecture === architecture);
  return {
    path,
    fileSize: shards.size,
    format: 'gguf',
    metadata,
    tensors,
    model: family && { family, config: createGgufConfig(header, family) },
    names: { nameOf: family === undefined ? (name) => name : createGgufNames(family), hasPairs: family?.gguf?.hasPairs ?? false, hasWholeNorms: true },
    quantization: { method: 'none' },
    read: (position, into) => shards.read(position, into),
    fileAt: (position) => (position === undefined ? fileName(path) : shards.nameAt(position)),
    [Symbol.dispose]: () => shards[Symbol.dispose](),
  };
}
