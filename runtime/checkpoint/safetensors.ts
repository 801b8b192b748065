/**
 * Owns the reader of safetensors files: header and tensor headers. Refuses whatever the reference reader refuses and more: keys that
 * come twice, numbers that are no whole numbers below 2^53, holes, overlaps, bytes behind the last tensor. All failures are
 * checkpoint_invalid. Source of the layout: the README of huggingface/safetensors, and safetensors/src/tensor.rs.
 */
import { describe, describeShape, invalidCheckpoint, isObject, type Json, type JsonObject, plainName, printable, readJsonObject } from './json.ts';
import type { TensorHeader } from './types.ts';
import { readFully } from './window.ts';

/** Bytes; the reference's own limit. */
const headerLimit = 100_000_000;
const tensorLimit = 2 ** 20;

/** Bits of an element. F4 and F6 have several elements in a byte. */
const elementBits: ReadonlyMap<string, number> = new Map(
  (
    [
      [4, ['F4']],
      [6, ['F6_E2M3', 'F6_E3M2']],
      [8, ['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ']],
      [16, ['I16', 'U16', 'F16', 'BF16']],
      [32, ['I32', 'U32', 'F32']],
      [64, ['I64', 'U64', 'F64', 'C64']],
    ] as const
  ).flatMap(([bits, names]) => names.map((name) => [name, bits] as const)),
);

/** The tensors of an open file in the order of their bytes; `base` is added to their offsets. */
export function readSafetensors(fd: number, fileSize: number, part: string, base = 0): TensorHeader[] {
  if (fileSize < 8) throw invalidCheckpoint(part, 'at least 8 bytes', fileSize);
  const start = new Uint8Array(8);
  readFully(fd, 0, start, invalidCheckpoint);
  const length = new DataView(start.buffer).getBigUint64(0, true);
  if (length > headerLimit) throw invalidCheckpoint(`header length of ${part}`, `at most ${headerLimit}`, String(length));
  const dataStart = 8 + Number(length);
  if (dataStart > fileSize) throw invalidCheckpoint(`header length of ${part}`, `at most ${fileSize - 8}`, Number(length));
  const bytes = new Uint8Array(dataStart - 8);
  readFully(fd, 8, bytes, invalidCheckpoint);
  const header = readJsonObject(bytes, `header of ${part}`, 'whole');
  const tensors = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry], index) => readTensor(name, entry, index, part));
  if (tensors.length > tensorLimit) throw invalidCheckpoint(`tensors of ${part}`, `at most ${tensorLimit}`, tensors.length);
  checkMetadata(header['__metadata__'], part);
  return place(tensors, fileSize - dataStart, base + dataStart, part);
}

function checkMetadata(metadata: Json | undefined, part: string): void {
  const isSound = metadata === undefined || metadata === null || (isObject(metadata) && Object.values(metadata).every((value) => typeof value === 'string'));
  if (!isSound) throw invalidCheckpoint(`__metadata__ of ${part}`, 'an object of strings', describe(metadata));
}

/** With its offset in the data section. */
function readTensor(name: string, entry: Json, index: number, file: string): TensorHeader {
  const part = `tensor ${printable(name, `number ${index}`)} in ${file}`;
  if (!isObject(entry)) throw invalidCheckpoint(part, 'an object', describe(entry));
  const dtype = entry['dtype'];
  const bits = typeof dtype === 'string' ? elementBits.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined)
    throw invalidCheckpoint(`dtype of ${part}`, [...elementBits.keys()].join(', '), typeof dtype === 'string' ? plainName(dtype, 'another') : describe(dtype));
  const shape = readCounts(entry, 'shape', part);
  const offsets = readCounts(entry, 'data_offsets', part);
  const [begin = 0, end = 0] = offsets;
  if (offsets.length !== 2) throw invalidCheckpoint(`data_offsets of ${part}`, 'a begin and an end', `${offsets.length} numbers`);
  if (end < begin) throw invalidCheckpoint(`data_offsets of ${part}`, `an end from ${begin} on`, end);
  const size = (shape.reduce((product, dimension) => product * dimension, 1) * bits) / 8;
  // Numbers are exact here: a larger product is refused before it is used.
  if (!Number.isSafeInteger(size)) throw invalidCheckpoint(`shape of ${part}`, 'whole bytes, at most 2^53', describeShape(shape));
  if (size !== end - begin) throw invalidCheckpoint(`data_offsets of ${part}`, `${size} bytes`, `${end - begin} bytes`);
  return { name, storage: dtype, shape, offset: begin, size };
}

/** An array of whole numbers from 0 to 2^53 - 1. */
function readCounts(entry: JsonObject, key: string, part: string): number[] {
  const list = entry[key];
  if (Array.isArray(list) && list.every((value) => Number.isSafeInteger(value) && value >= 0)) return list;
  throw invalidCheckpoint(`${key} of ${part}`, 'an array of whole numbers below 2^53', Array.isArray(list) ? 'an array of others' : describe(list));
}

/** Each tensor begins where the one before ended, the last one ends with the file. */
function place(tensors: TensorHeader[], dataSize: number, base: number, part: string): TensorHeader[] {
  const placed = tensors.toSorted((a, b) => a.offset - b.offset || a.size - b.size);
  let next = 0;
  for (const [index, { name, offset, size }] of placed.entries()) {
    if (offset !== next) throw invalidCheckpoint(`offset of tensor ${printable(name, `number ${index}`)} in ${part}`, next, offset);
    next = offset + size;
  }
  if (next !== dataSize) throw invalidCheckpoint(`data of ${part}`, `${next} bytes, as its tensors say`, `${dataSize} bytes`);
  return placed.map((tensor) => ({ ...tensor, offset: base + tensor.offset }));
}
