/**
 * Owns the values of GGUF key-value pairs: scalar, string and flat array, decoded from the header window.
 * Long arrays of strings (vocabulary, merges) are checked but not decoded: they come as a LazyStrings that the
 * metadata map decodes when asked, because a process without a tokenizer never needs them.
 * Refuses nested arrays, as llama.cpp does: no model file has them, and their depth has no bound.
 */
import type { MetadataValue } from './types.ts';
import { type HeaderWindow, invalid, shrink } from './window.ts';

/** Value types of GGUF by id. */
const typeNames = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'string', 'array', 'u64', 'i64', 'f64'] as const;
export type ValueType = (typeof typeNames)[number];

const sizes: Readonly<Record<Exclude<ValueType, 'string' | 'array'>, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** Bytes; the longest real strings are chat templates of some 100 kB. */
const stringLimit = 16 * 1024 * 1024;
/** Elements; the largest real arrays (merges) have some 500,000. */
const arrayLimit = 16 * 1024 * 1024;
/** String arrays from this length on stay in the file. */
const lazyLength = 256;

/** An array of strings that lies in the file at [position, position + size). */
export class LazyStrings {
  readonly position: number;
  readonly size: number;
  readonly length: number;

  constructor(position: number, size: number, length: number) {
    this.position = position;
    this.size = size;
    this.length = length;
  }

  /** The strings, from the bytes at [position, position + size). */
  decode(bytes: Buffer, part: string): string[] {
    const strings: string[] = new Array(this.length);
    let at = 0;
    for (let i = 0; i < this.length; i++) {
      // The lengths were checked at open; another process may have changed the file since.
      const size = at + 8 <= bytes.length ? Number(bytes.readBigUInt64LE(at)) : Number.POSITIVE_INFINITY;
      if (at + 8 + size > bytes.length) throw invalid(part, 'the lengths found at opening', 'others: the file has changed');
      strings[i] = bytes.toString('utf8', at + 8, at + 8 + size);
      at += 8 + size;
    }
    return strings;
  }
}

export function readType(window: HeaderWindow, part: string): ValueType {
  const id = window.u32(`type of ${part}`);
  const name = typeNames[id];
  if (name === undefined) throw invalid(`type of ${part}`, `0 to ${typeNames.length - 1}`, id);
  return name;
}

export function readValue(window: HeaderWindow, type: ValueType, part: string): MetadataValue | LazyStrings {
  if (type === 'string') return window.bytes(window.count(`length of ${part}`, stringLimit), part).toString('utf8');
  if (type === 'array') return readArray(window, part);
  return readNumbers(window, type, 1, part)[0] as MetadataValue;
}

function readArray(window: HeaderWindow, part: string): MetadataValue | LazyStrings {
  const type = readType(window, `elements of ${part}`);
  if (type === 'array') throw invalid(part, 'an array of numbers or strings', 'an array of arrays');
  const length = window.count(`length of ${part}`, arrayLimit);
  const elementSize = type === 'string' ? 8 : sizes[type];
  if (length * elementSize > window.left) throw invalid(part, `${length} elements`, `${window.left} bytes before the end of the file`);
  return type === 'string' ? readStrings(window, length, part) : readNumbers(window, type, length, part);
}

function readStrings(window: HeaderWindow, length: number, part: string): MetadataValue | LazyStrings {
  const strings: string[] = [];
  const position = window.position;
  for (let i = 0; i < length; i++) {
    const size = window.count(`length of ${part}`, stringLimit);
    if (length < lazyLength) strings.push(window.bytes(size, part).toString('utf8'));
    else window.skip(size, part);
  }
  return length < lazyLength ? strings : new LazyStrings(position, window.position - position, length);
}

function readNumbers(window: HeaderWindow, type: keyof typeof sizes, length: number, part: string): Exclude<MetadataValue, number | bigint | boolean | string> {
  const bytes = window.bytes(length * sizes[type], part);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type) {
    case 'u8':
      return Uint8Array.from(bytes);
    case 'i8':
      return Int32Array.from({ length }, (_, i) => view.getInt8(i));
    case 'u16':
      return Uint32Array.from({ length }, (_, i) => view.getUint16(i * 2, true));
    case 'i16':
      return Int32Array.from({ length }, (_, i) => view.getInt16(i * 2, true));
    case 'u32':
      return Uint32Array.from({ length }, (_, i) => view.getUint32(i * 4, true));
    case 'i32':
      return Int32Array.from({ length }, (_, i) => view.getInt32(i * 4, true));
    case 'f32':
      return Float32Array.from({ length }, (_, i) => view.getFloat32(i * 4, true));
    case 'f64':
      return Array.from({ length }, (_, i) => view.getFloat64(i * 8, true));
    case 'u64':
      return Array.from({ length }, (_, i) => shrink(view.getBigUint64(i * 8, true)));
    case 'i64':
      return Array.from({ length }, (_, i) => shrink(view.getBigInt64(i * 8, true)));
    case 'bool':
      return Array.from(bytes, (byte) => toBoolean(byte, part));
  }
}

function toBoolean(byte: number, part: string): boolean {
  if (byte > 1) throw invalid(part, 'a boolean byte 0 or 1', byte);
  return byte === 1;
}
