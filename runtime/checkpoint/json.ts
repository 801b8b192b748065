/**
 * Owns the strict reading of JSON in files of others: UTF-8, no byte order mark, no key twice in an object, bounded depth, whole numbers
 * kept apart from others. Refuses with checkpoint_invalid.
 */
import { basename } from 'node:path';
import { InwardError } from '../errors.ts';
import type { Checkpoint } from './types.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** Keys are the file's, `__proto__` among them: a key that the file chose is read by Object.hasOwn or Object.entries. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Objects and arrays within each other; real files have six. */
const depthLimit = 32;
/** What opens, closes and separates, and what is escaped; one at a time, so that no text takes more than linear time or a deep stack. */
const token = /\\.|["{}[\]:]/gs;

/** A checkpoint_invalid error; `part`, `expected` and `found` are the code's own words, numbers, or names made printable first. */
export function invalidCheckpoint(part: string, expected: string | number, found: string | number): InwardError {
  return new InwardError('checkpoint_invalid', { part, expected, found });
}

/** A model_unsupported error; its fields are as those of invalidCheckpoint. */
export function unsupported(part: string, expected: string | number, found: string | number): InwardError {
  return new InwardError('model_unsupported', { part, expected, found });
}

/** A tensor as errors call it, with the file that it is in. */
export function tensorPart(checkpoint: Pick<Checkpoint, 'fileAt'>, { name, offset }: { readonly name: string; readonly offset?: number }): string {
  return `tensor ${name} in ${checkpoint.fileAt(offset)}`;
}

/** What this reads; an error that it throws is said of this file. */
export function inFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const part = error instanceof InwardError ? error.fields['part'] : undefined;
    if (!(error instanceof InwardError) || part === undefined || error.code === 'internal') throw error;
    throw new InwardError(error.code, { ...error.fields, part: `${part} in ${file}` });
  }
}

/** A value of the file as an error may show it: what looks like the name of a family, a method or a format. */
export function plainName(name: string, instead: string): string {
  return /^[\w.-]{1,40}$/.test(name) ? name : instead;
}

/** The name of a tensor or key of the file as an error may show it: short printable ASCII. */
export function printable(name: string, instead: string): string {
  return /^[\x21-\x7e]{1,160}$/.test(name) ? name : instead;
}

/** The last name of a path as an error may show it. */
export function fileName(path: string): string {
  return printable(basename(path), 'the model');
}

/** What these bytes hold. `numbers`: whether fractions and exponents may be written. */
export function readJson(bytes: Uint8Array, part: string, numbers: 'any' | 'whole' = 'any'): Json {
  const text = decode(bytes, part);
  walk(text, part, numbers);
  return parse(text, part);
}

/** The same, which must be an object. */
export function readJsonObject(bytes: Uint8Array, part: string, numbers: 'any' | 'whole' = 'any'): JsonObject {
  const value = readJson(bytes, part, numbers);
  if (!isObject(value)) throw invalidCheckpoint(part, 'an object', describe(value));
  return value;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What kind of value it is; numbers as they are. */
export function describe(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'number' || typeof value === 'boolean' ? `${typeof value} ${value}` : `${typeof value === 'object' ? 'an object' : 'a string'}`;
}

/** A shape as an error may show it: the format allows any count of dimensions. */
export function describeShape(shape: readonly number[]): string {
  return shape.length > 8 ? `${shape.length} dimensions` : shape.join(' x ') || 'a scalar';
}

function decode(bytes: Uint8Array, part: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalidCheckpoint(part, 'UTF-8', 'other bytes');
  }
}

function parse(text: string, part: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    // V8's message quotes the text.
    throw invalidCheckpoint(part, 'JSON', 'something else');
  }
}

/** Over the tokens of what may be JSON: depth, keys of each object, numbers. What is no JSON at all is the parser's to refuse. */
function walk(text: string, part: string, numbers: 'any' | 'whole'): void {
  const open: (Set<string> | undefined)[] = [];
  let isString = false;
  let [start, end] = [0, 0];
  /** With its quotes; '' where no string came since the last colon, so that none is parsed twice. */
  let last = '';
  for (const { 0: found, index } of text.matchAll(token)) {
    if (isString && found !== '"') continue;
    if (!isString && numbers === 'whole' && /[-.]|\d[eE]/.test(text.slice(end, index)))
      throw invalidCheckpoint(`numbers of ${part}`, 'whole ones from 0', 'others');
    end = index + found.length;
    if (found === '"') {
      if (isString) last = text.slice(start, end);
      start = index;
      isString = !isString;
    } else if (found === '{' || found === '[') {
      open.push(found === '{' ? new Set() : undefined);
      if (open.length > depthLimit) throw invalidCheckpoint(part, `at most ${depthLimit} levels`, 'more');
    } else if (found === '}' || found === ']') open.pop();
    else if (found === ':') {
      addKey(open.at(-1), String(parse(last, part)), part);
      last = '';
    }
  }
}

function addKey(keys: Set<string> | undefined, key: string, part: string): void {
  if (keys?.has(key)) throw invalidCheckpoint(`key ${printable(key, 'of an object')} of ${part}`, 'one value', 'a second one');
  keys?.add(key);
}
