/** Owns reading the values of keywords. Refuses values of the wrong type by the keyword's name. */
import { rejectForm } from '../refusal.ts';
import { isObject, type JsonObject, own, type Source } from './source.ts';

export function readNumber(schema: JsonObject, key: string, { path }: Source): number | undefined {
  const value = own(schema, key);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw rejectForm(`have a number as its ${key}`, path);
  return value;
}

/** A count from 0 on; the standard allows 2.0. */
export function readCount(schema: JsonObject, key: string, source: Source): number | undefined {
  const value = readNumber(schema, key, source);
  if (value !== undefined && !(value >= 0 && Number.isInteger(value))) throw rejectForm(`have a count as its ${key}`, source.path);
  return value;
}

export function readList(schema: JsonObject, key: string, { path }: Source): readonly unknown[] | undefined {
  const value = own(schema, key);
  if (value !== undefined && !Array.isArray(value)) throw rejectForm(`have a list as its ${key}`, path);
  return value as readonly unknown[] | undefined;
}

export function readNames(schema: JsonObject, key: string, source: Source): readonly string[] | undefined {
  const value = readList(schema, key, source);
  if (value?.some((name) => typeof name !== 'string')) throw rejectForm(`have texts in its ${key}`, source.path);
  return value as readonly string[] | undefined;
}

export function readMap(schema: JsonObject, key: string, { path }: Source): JsonObject | undefined {
  const value = own(schema, key);
  if (value !== undefined && !isObject(value)) throw rejectForm(`have an object as its ${key}`, path);
  return value;
}
