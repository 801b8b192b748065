/** Owns the checked access to config.json of a checkpoint folder. Refuses silent conversion: a wrong type is checkpoint_invalid. */
import type { ModelConfig } from '../../models/family.ts';
import { describe, invalidCheckpoint, isObject, type Json, type JsonObject, plainName, unsupported } from './json.ts';

const integerLimit = 2 ** 24;

/** `path`: of the object, as errors call it. */
export function createConfigReader(object: JsonObject, path = 'config.json'): ModelConfig {
  const part = (key: string): string => `${path} ${key}`;
  /** null and no key at all are both missing. */
  const get = (key: string): Json | undefined => (Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined);
  function checked<T extends Json>(key: string, expected: string, is: (value: Json) => value is T, fallback: T | undefined): T {
    const value = get(key) ?? fallback;
    if (value !== undefined && is(value)) return value;
    throw invalidCheckpoint(part(key), expected, describe(value));
  }
  const isWhole = (value: Json): value is number => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= integerLimit;
  const list = <T extends Json>(key: string, expected: string, is: (value: Json) => value is T): readonly T[] | undefined => {
    const value = get(key);
    if (value === undefined || (Array.isArray(value) && value.every(is))) return value as readonly T[] | undefined;
    throw invalidCheckpoint(part(key), expected, describe(value));
  };
  return {
    has: (key) => get(key) !== undefined,
    integer: (key, fallback) => checked(key, `a whole number from 1 to ${integerLimit}`, isWhole, fallback),
    number: (key, fallback) => checked(key, 'a finite number', (value): value is number => Number.isFinite(value), fallback),
    string: (key, fallback) => checked(key, 'a string', (value): value is string => typeof value === 'string', fallback),
    boolean: (key, fallback) => checked(key, 'true or false', (value): value is boolean => typeof value === 'boolean', fallback),
    object(key) {
      const value = get(key);
      if (value === undefined || isObject(value)) return value && createConfigReader(value, part(key));
      throw invalidCheckpoint(part(key), 'an object', describe(value));
    },
    numbers: (key) => list(key, 'a list of finite numbers', (value): value is number => Number.isFinite(value)),
    strings: (key) => list(key, 'a list of strings', (value): value is string => typeof value === 'string'),
    demand(isMet, key, expected, found) {
      if (!isMet) throw unsupported(part(key), expected, typeof found === 'string' ? plainName(found, 'something else') : found);
    },
  };
}
