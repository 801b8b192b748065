/**
 * Owns access to the metadata of a checkpoint: the map that decodes long string arrays when asked, and getters
 * that check the type (and range) of a value. Refuses silent conversion: a wrong type is gguf_invalid.
 */
import type { Checkpoint, MetadataValue } from './types.ts';
import type { LazyStrings } from './values.ts';
import { invalid } from './window.ts';

export type Decode = (strings: LazyStrings, key: string) => string[];

/**
 * Metadata whose long string arrays stay in the file: `get` decodes them anew each time, so that they are
 * only in memory while their reader holds them.
 */
export class MetadataMap extends Map<string, MetadataValue> {
  readonly #lazy = new Map<string, LazyStrings>();
  /** Keys of values that the file stores as f32 or f64: 1.0 is no count. */
  readonly #floats = new Set<string>();
  readonly #decode: Decode;

  constructor(decode: Decode) {
    super();
    this.#decode = decode;
  }

  setLazy(key: string, strings: LazyStrings): void {
    this.#lazy.set(key, strings);
    this.set(key, []);
  }

  setFloat(key: string, value: MetadataValue): void {
    this.#floats.add(key);
    this.set(key, value);
  }

  isFloat(key: string): boolean {
    return this.#floats.has(key);
  }

  override get(key: string): MetadataValue | undefined {
    const strings = this.#lazy.get(key);
    return strings === undefined ? super.get(key) : this.#decode(strings, key);
  }

  override *entries(): MapIterator<[string, MetadataValue]> {
    for (const key of this.keys()) yield [key, this.get(key) as MetadataValue];
  }

  override *values(): MapIterator<MetadataValue> {
    for (const [, value] of this.entries()) yield value;
  }

  override [Symbol.iterator](): MapIterator<[string, MetadataValue]> {
    return this.entries();
  }

  override forEach(callback: (value: MetadataValue, key: string, map: Map<string, MetadataValue>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}

type Metadata = Pick<Checkpoint, 'metadata'>;
type Read<T> = (checkpoint: Metadata, key: string) => T | undefined;

function describe(value: MetadataValue): string {
  if (typeof value === 'object') return 'an array';
  return typeof value === 'string' ? 'a string' : `${typeof value} ${value}`;
}

function getter<T extends MetadataValue>(expected: string, is: (value: MetadataValue) => value is T): Read<T> {
  return (checkpoint, key) => {
    const value = checkpoint.metadata.get(key);
    if (value === undefined || is(value)) return value;
    throw invalid(`metadata ${key}`, expected, describe(value));
  };
}

function required<T>(read: Read<T>, expected: string): (checkpoint: Metadata, key: string) => T {
  return (checkpoint, key) => {
    const value = read(checkpoint, key);
    if (value === undefined) throw invalid(`metadata ${key}`, expected, 'nothing');
    return value;
  };
}

/** A finite number, or undefined when the key is missing. Throws gguf_invalid otherwise. */
export const optionalNumber: (checkpoint: Metadata, key: string) => number | undefined = getter('a finite number', (value): value is number =>
  Number.isFinite(value),
);
/** A string, or undefined when the key is missing. Throws gguf_invalid otherwise. */
export const optionalString: (checkpoint: Metadata, key: string) => string | undefined = getter(
  'a string',
  (value): value is string => typeof value === 'string',
);
/** A boolean, or undefined when the key is missing. Throws gguf_invalid otherwise. */
export const optionalBoolean: (checkpoint: Metadata, key: string) => boolean | undefined = getter(
  'a boolean',
  (value): value is boolean => typeof value === 'boolean',
);
/** An array of strings, read from the file now, or undefined when the key is missing. Throws gguf_invalid otherwise. */
export const optionalStrings: (checkpoint: Metadata, key: string) => readonly string[] | undefined = getter(
  'an array of strings',
  (value): value is readonly string[] => Array.isArray(value) && value.every((element) => typeof element === 'string'),
);
/** An array of 32-bit integers (also those stored as 8 or 16 bit), or undefined when the key is missing. Throws gguf_invalid otherwise. */
export const optionalIntegers: (checkpoint: Metadata, key: string) => Int32Array | Uint32Array | undefined = getter(
  'an array of 32-bit integers',
  (value): value is Int32Array | Uint32Array => value instanceof Int32Array || value instanceof Uint32Array,
);
/** Finite numbers of an array, those of booleans 0 and 1, or the only one where the value is no array; undefined when the key is missing. Throws gguf_invalid otherwise. */
export function optionalNumbers(checkpoint: Metadata, key: string): readonly number[] | undefined {
  const value = checkpoint.metadata.get(key);
  if (value === undefined) return undefined;
  const all = typeof value === 'object' ? Array.from<MetadataValue>(value) : [value];
  const numbers = all.map((element) => (typeof element === 'number' || typeof element === 'boolean' ? Number(element) : Number.NaN));
  if (numbers.every((number) => Number.isFinite(number))) return numbers;
  throw invalid(`metadata ${key}`, 'finite numbers', describe(value));
}
/** A finite number. Throws gguf_invalid when it is missing or anything else. */
export const metadataNumber: (checkpoint: Metadata, key: string) => number = required(optionalNumber, 'a finite number');
/** A string. Throws gguf_invalid when it is missing or anything else. */
export const metadataString: (checkpoint: Metadata, key: string) => string = required(optionalString, 'a string');
/** A boolean. Throws gguf_invalid when it is missing or anything else. */
export const metadataBoolean: (checkpoint: Metadata, key: string) => boolean = required(optionalBoolean, 'a boolean');
/** An array of strings, read from the file now. Throws gguf_invalid when it is missing or anything else. */
export const metadataStrings: (checkpoint: Metadata, key: string) => readonly string[] = required(optionalStrings, 'an array of strings');

/** A whole number within [min, max], or undefined when the key is missing. Throws gguf_invalid otherwise. */
export function optionalInteger(checkpoint: Metadata, key: string, min: number, max: number): number | undefined {
  const value = optionalNumber(checkpoint, key);
  const isFloat = checkpoint.metadata instanceof MetadataMap && checkpoint.metadata.isFloat(key);
  if (value === undefined || (!isFloat && Number.isInteger(value) && value >= min && value <= max)) return value;
  throw invalid(`metadata ${key}`, `a whole number from ${min} to ${max}`, isFloat ? `${value} as a float` : value);
}

/** A whole number within [min, max]; throws gguf_invalid when it is missing or anything else. */
export function metadataInteger(checkpoint: Metadata, key: string, min: number, max: number): number {
  const value = optionalInteger(checkpoint, key, min, max);
  if (value === undefined) throw invalid(`metadata ${key}`, `a whole number from ${min} to ${max}`, 'nothing');
  return value;
}
