/**
 * Owns the reader of GGUF files, versions 2 and 3, little-endian: header, key-value pairs, tensor headers.
 * Refuses whatever llama.cpp's reader refuses and more: every count, length, offset and type is checked against the
 * real file before it is used, tensors must follow each other without hole or overlap and end inside the file.
 * All failures are gguf_invalid. Source of the layout: ggml docs/gguf.md.
 */

import { type Decode, MetadataMap } from './metadata.ts';
import { findStorage, isWithdrawnStorage, type Storage } from './storage.ts';
import type { TensorHeader } from './types.ts';
import { LazyStrings, readType, readValue } from './values.ts';
import { HeaderWindow, invalid } from './window.ts';

export interface GgufHeader {
  readonly metadata: MetadataMap;
  readonly tensors: ReadonlyMap<string, TensorHeader>;
}

/** Bytes of a key (the format's own limit) and of a tensor name (llama.cpp: 64 with the final zero). */
const keyLimit = 65535;
const nameLimit = 63;
const dimensionLimit = 4;
/** Bytes of the smallest pair (length, one byte of key, type, one byte) and of the smallest tensor header. */
const smallestPair = 8 + 1 + 4 + 1;
const smallestTensor = 8 + 1 + 4 + 8 + 4 + 8;
/** More than any model has; bounds the memory that a hostile file takes. */
const pairLimit = 2 ** 16;
const tensorLimit = 2 ** 20;

export function readGguf(fd: number, fileSize: number, decode: Decode): GgufHeader {
  const window = new HeaderWindow(fd, fileSize);
  readMagic(window);
  const tensorCount = readRecordCount(window, 'tensor count', smallestTensor, tensorLimit);
  const pairCount = readRecordCount(window, 'metadata count', smallestPair, pairLimit);
  const metadata = readMetadata(window, pairCount, decode);
  const alignment = readAlignment(metadata);
  return { metadata, tensors: readTensors(window, tensorCount, alignment) };
}

function readMagic(window: HeaderWindow): void {
  const magic = window.bytes(4, 'magic').toString('latin1');
  if (magic === 'FUGG') throw invalid('byte order', 'little-endian', 'big-endian');
  if (/^(tjgg|ggjt|lmgg|ggml|fmgg|ggmf|algg|ggla)$/.test(magic)) throw invalid('magic', 'GGUF', 'a GGML file from before GGUF');
  if (magic !== 'GGUF') throw invalid('magic', 'GGUF', 'another kind of file');
  const version = window.u32('version');
  if (version > 0xffff) throw invalid('byte order', 'little-endian', 'big-endian');
  if (version !== 2 && version !== 3) throw invalid('version', '2 or 3', version);
}

/** A count of records that the rest of the file can hold. */
function readRecordCount(window: HeaderWindow, part: string, smallest: number, limit: number): number {
  const count = window.count(part, limit);
  if (count * smallest > window.left) throw invalid(part, `at most ${Math.floor(window.left / smallest)} in a file of ${window.fileSize} bytes`, count);
  return count;
}

/** A key or tensor name; empty, overlong or invalid UTF-8 is refused. */
function readName(window: HeaderWindow, part: string, limit: number): string {
  const size = window.count(`length of ${part}`, limit);
  if (size === 0) throw invalid(`length of ${part}`, 'at least 1', 0);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(window.bytes(size, part));
  } catch (error) {
    if (error instanceof TypeError) throw invalid(part, 'UTF-8', 'other bytes');
    throw error;
  }
}

/** How an error calls something in the file: by its name if that is short printable ASCII, else by its number. */
function label(kind: string, name: string, index: number): string {
  return /^[\x21-\x7e]{1,64}$/.test(name) ? `${kind} ${name}` : `${kind} number ${index}`;
}

function readMetadata(window: HeaderWindow, count: number, decode: Decode): MetadataMap {
  const metadata = new MetadataMap(decode);
  for (let i = 0; i < count; i++) {
    const key = readName(window, `metadata key number ${i}`, keyLimit);
    const part = label('metadata', key, i);
    if (metadata.has(key)) throw invalid(part, 'one value', 'a second one');
    const type = readType(window, part);
    if (key === 'general.alignment' && type !== 'u32') throw invalid(part, 'u32', type);
    if (key === 'general.architecture' && type !== 'string') throw invalid(part, 'string', type);
    const value = readValue(window, type, part);
    if (value instanceof LazyStrings) metadata.setLazy(key, value);
    else if (type === 'f32' || type === 'f64') metadata.setFloat(key, value);
    else metadata.set(key, value);
  }
  return metadata;
}

/** Bytes; tensors begin at multiples of it. The format asks for a multiple of 8, llama.cpp for a power of two. */
function readAlignment(metadata: MetadataMap): number {
  const value = metadata.get('general.alignment') ?? 32;
  if (typeof value !== 'number' || value < 8 || !Number.isInteger(Math.log2(value))) {
    throw invalid('metadata general.alignment', 'a power of two from 8', typeof value === 'number' ? value : 'another type');
  }
  return value;
}

interface PlacedTensor {
  readonly part: string;
  /** From the start of the data section, in bytes. */
  readonly offset: number;
  readonly header: Omit<TensorHeader, 'offset'>;
}

function readTensors(window: HeaderWindow, count: number, alignment: number): ReadonlyMap<string, TensorHeader> {
  const placed = new Map<string, PlacedTensor>();
  for (let i = 0; i < count; i++) {
    const tensor = readTensor(window, i);
    if (placed.has(tensor.header.name)) throw invalid(tensor.part, 'one tensor of this name', 'a second one');
    placed.set(tensor.header.name, tensor);
  }
  const tensors = new Map<string, TensorHeader>();
  const dataStart = pad(window.position, alignment);
  let next = 0;
  for (const { part, offset, header } of placed.values()) {
    // Like llama.cpp: each tensor begins where the one before ended. Rules out overlap, holes and misalignment.
    if (offset !== next) throw invalid(`offset of ${part}`, next, offset);
    const end = dataStart + offset + header.size;
    if (end > window.fileSize)
      throw invalid(part, `${header.size} bytes`, `${Math.max(0, window.fileSize - dataStart - offset)} bytes before the end of the file`);
    tensors.set(header.name, { ...header, offset: dataStart + offset });
    next = pad(offset + header.size, alignment);
  }
  return tensors;
}

function readTensor(window: HeaderWindow, index: number): PlacedTensor {
  const name = readName(window, `name of tensor number ${index}`, nameLimit);
  const part = label('tensor', name, index);
  const dimensionCount = window.u32(`dimension count of ${part}`);
  if (dimensionCount < 1 || dimensionCount > dimensionLimit) throw invalid(`dimension count of ${part}`, `1 to ${dimensionLimit}`, dimensionCount);
  const dimensions: number[] = [];
  let length = 1;
  for (let i = 0; i < dimensionCount; i++) {
    const dimension = window.count(`dimension ${i} of ${part}`, Number.MAX_SAFE_INTEGER);
    if (dimension === 0) throw invalid(`dimension ${i} of ${part}`, 'at least 1', 0);
    length *= dimension;
    dimensions.unshift(dimension);
  }
  // Numbers are exact here: a larger product is refused before it is used.
  if (length > Number.MAX_SAFE_INTEGER) throw invalid(`elements of ${part}`, `at most ${Number.MAX_SAFE_INTEGER}`, 'more');
  const storage = readStorage(window, part);
  const size = rowsSize(storage, dimensions, length, part);
  return { part, offset: window.count(`offset of ${part}`, Number.MAX_SAFE_INTEGER), header: { name, storage: storage.name, shape: dimensions, size } };
}

function readStorage(window: HeaderWindow, part: string): Storage {
  const id = window.u32(`storage of ${part}`);
  const storage = findStorage(id);
  if (storage !== undefined) return storage;
  throw invalid(`storage of ${part}`, 'a known type id', isWithdrawnStorage(id) ? `${id}, which llama.cpp has withdrawn` : id);
}

function rowsSize(storage: Storage, shape: readonly number[], length: number, part: string): number {
  const columns = shape.at(-1) as number;
  if (columns % storage.blockLength !== 0) throw invalid(`row of ${part}`, `a multiple of ${storage.blockLength} elements`, columns);
  const size = (length / storage.blockLength) * storage.blockSize;
  if (size > Number.MAX_SAFE_INTEGER) throw invalid(`size of ${part}`, `at most ${Number.MAX_SAFE_INTEGER} bytes`, 'more');
  return size;
}

function pad(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}
