/**
 * Owns what a field of an audit record can be: a name of a closed list, a text of a form that has no room for a sentence, a
 * whole number within bounds, or true and false. Refuses every other kind: there is none for free text.
 */
import { isIP } from 'node:net';

export interface Kind<T> {
  readonly type: 'choice' | 'form' | 'count' | 'flag';
  /** Most characters of a text, or the largest number. */
  readonly most: number;
  /** For documents: what is in it. */
  readonly what: string;
  readonly isOptional: boolean;
  fits(value: unknown): value is T;
}

/** One of these names. */
export function choice<const T extends string>(values: readonly T[]): Kind<T> {
  const known: ReadonlySet<unknown> = new Set(values);
  const most = Math.max(...values.map(({ length }) => length));
  return { type: 'choice', most, what: values.join(' | '), isOptional: false, fits: (value): value is T => known.has(value) };
}

/** A text of this form, which a regular expression describes from its first to its last character. */
export function form(pattern: RegExp, most: number, what: string): Kind<string> {
  return {
    type: 'form',
    most,
    what,
    isOptional: false,
    fits: (value): value is string => typeof value === 'string' && value.length <= most && pattern.test(value),
  };
}

/** A whole number from 0. */
export function count(most: number, what: string): Kind<number> {
  return {
    type: 'count',
    most,
    what,
    isOptional: false,
    fits: (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most,
  };
}

export const flag: Kind<boolean> = { type: 'flag', most: 1, what: 'true or false', isOptional: false, fits: (value) => typeof value === 'boolean' };

/** May be left out. */
export type Optional<T> = Kind<T> & { readonly isOptional: true };

export function optional<T>(kind: Kind<T>): Optional<T> {
  return { ...kind, isOptional: true };
}

/** An address of IPv4 or IPv6 in one spelling: small letters, no zone. */
export const address: Kind<string> = {
  ...form(/^[0-9a-f.:]{2,45}$/, 45, 'an IPv4 or IPv6 address'),
  fits: (value): value is string => typeof value === 'string' && /^[0-9a-f.:]{2,45}$/.test(value) && isIP(value) !== 0,
};

/** A kind for each field of T, and none more. */
export type KindsOf<T> = { readonly [Name in keyof T]-?: undefined extends T[Name] ? Optional<Exclude<T[Name], undefined>> : Kind<T[Name]> };
