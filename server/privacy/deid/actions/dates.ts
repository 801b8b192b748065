/**
 * Owns how a date is read from the many ways that notes and messages write it, shifted by days in the same form, and cut to its
 * year. Times of day stay as they are. Refuses what it does not understand whole: that gets a tag.
 */
import { type DateWord, readDateWord, writeDateWord } from './date-words.ts';

interface Piece {
  readonly text: string;
  readonly kind: 'year' | 'month' | 'day' | 'weekday' | 'other';
  readonly word?: DateWord;
}

/** A date as it is written. */
export interface WrittenDate {
  readonly pieces: readonly Piece[];
  readonly year: number | undefined;
  /** From 1. */
  readonly month: number | undefined;
  readonly day: number | undefined;
}

export interface DateStyle {
  /** 03/04/2024 is the third of April. */
  readonly isDayFirst: boolean;
  /** What two digits of a year are counted from, and which year dates without one are in. */
  readonly year: number;
}

const longest = 64;
const time = /(?:T|,?\s+(?:at\s+|a las\s+)?)?\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:\s?[ap]\.?m\.?)?(?:\s?(?:Z|[+-]\d{2}:?\d{2}))?$/i;
const compact = /^(\d{4})(\d{2})(\d{2})((?:\d{2}|\d{4}|\d{6})?(?:\.\d{1,6})?(?:[+-]\d{4})?)$/;
const silent = new Set(['st', 'nd', 'rd', 'th', 'of', 'de', 'del', 'the', 'on', 'el', 'º']);

/** undefined: not understood. */
export function readDate(text: string, style: DateStyle): WrittenDate | undefined {
  if (text.length > longest) return undefined;
  const packed = compact.exec(text);
  if (packed !== null) {
    const [, year = '', month = '', day = '', rest = ''] = packed;
    return check([piece('year', year), piece('month', month), piece('day', day), piece('other', rest)], style);
  }
  const [clock = ''] = time.exec(text) ?? [];
  const body = text.slice(0, text.length - clock.length);
  const parts = Array.from(body.matchAll(/\d+|\p{L}+\.?|[^\d\p{L}]+/gu), ([part]) => part);
  const named = parts.map(nameWord);
  if (named.some((found, index) => found === undefined && /\p{L}/u.test(parts[index] ?? ''))) return undefined;
  const kinds = nameNumbers(parts, named, style);
  if (kinds === undefined) return undefined;
  return check([...parts.map((part, index) => named[index] ?? piece(kinds.get(index) ?? 'other', part)), piece('other', clock)], style);
}

/** The date so many days later, in the same form; undefined where it has no day to count from. */
export function shiftDate({ pieces, year, month, day }: WrittenDate, days: number, style: DateStyle): string | undefined {
  const weekdayOnly = month === undefined && day === undefined && year === undefined;
  if (!weekdayOnly && (month === undefined || day === undefined)) return undefined;
  const moved = new Date(Date.UTC(year ?? style.year, (month ?? 1) - 1, (day ?? 1) + days));
  const numbers = { year: moved.getUTCFullYear(), month: moved.getUTCMonth() + 1, day: moved.getUTCDate() };
  const isPadded = hasPadding(pieces);
  const write = ({ text, kind, word }: Piece): string => {
    if (kind === 'other') return text;
    if (word !== undefined) return writeWord(word, text, kind === 'month' ? numbers.month - 1 : word.index + days);
    if (kind === 'weekday') return text;
    if (kind === 'year') return text.length === 2 ? String(numbers.year % 100).padStart(2, '0') : String(numbers.year);
    return String(numbers[kind]).padStart(isPadded ? 2 : 1, '0');
  };
  return fixOrdinal(pieces.map(write), pieces, numbers.day).join('');
}

/** Whether a day or month of one digit has a zero before it: by one that is there, or in numbers that are all of two. */
function hasPadding(pieces: readonly Piece[]): boolean {
  const numbers = pieces.filter(({ kind, word }) => (kind === 'day' || kind === 'month') && word === undefined);
  const isNumeric = numbers.some(({ kind }) => kind === 'month');
  return numbers.some(({ text }) => text.startsWith('0')) || (isNumeric && numbers.every(({ text }) => text.length === 2));
}

function writeWord(word: DateWord, text: string, index: number): string {
  const dot = text.endsWith('.') ? '.' : '';
  return writeDateWord(word, index, dot === '' ? text : text.slice(0, -1)) + dot;
}

/** `1st` a day later is `2nd`. */
function fixOrdinal(texts: string[], pieces: readonly Piece[], day: number): string[] {
  const at = pieces.findIndex(({ text }, index) => index > 0 && pieces[index - 1]?.kind === 'day' && /^(?:st|nd|rd|th)$/i.test(text));
  if (at < 0) return texts;
  const ending = day > 3 && day < 21 ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th');
  return texts.with(at, pieces[at]?.text === pieces[at]?.text.toUpperCase() ? ending.toUpperCase() : ending);
}

function piece(kind: Piece['kind'], text: string): Piece {
  return { kind, text };
}

function nameWord(part: string): Piece | undefined {
  if (!/\p{L}/u.test(part)) return undefined;
  const bare = part.endsWith('.') ? part.slice(0, -1) : part;
  const word = readDateWord(bare);
  if (word !== undefined) return { kind: word.kind, text: part, word };
  return silent.has(bare.toLowerCase()) ? piece('other', part) : undefined;
}

/** Which number is what; undefined where they fit no form. */
function nameNumbers(parts: readonly string[], named: readonly (Piece | undefined)[], { isDayFirst }: DateStyle): Map<number, Piece['kind']> | undefined {
  const found = parts.flatMap((part, index) => (/^\d/.test(part) ? [{ index, part }] : []));
  if (found.length > 3 || found.some(({ part }) => part.length === 3 || part.length > 4)) return undefined;
  const kinds = named.some((entry) => entry?.kind === 'month')
    ? besideMonth(found.map(({ part }) => part))
    : numeric(
        found.map(({ part }) => part),
        isDayFirst,
      );
  if (kinds === undefined || (kinds.length === 0 && !named.some((entry) => entry?.kind === 'weekday' || entry?.kind === 'month'))) return undefined;
  return new Map(found.map(({ index }, at) => [index, kinds[at] ?? 'other']));
}

function besideMonth(numbers: readonly string[]): Piece['kind'][] | undefined {
  const [first, second] = numbers;
  if (first === undefined) return [];
  if (numbers.length > 2) return undefined;
  if (second === undefined) return [first.length === 4 ? 'year' : 'day'];
  return first.length === 4 ? ['year', 'day'] : ['day', 'year'];
}

function numeric(numbers: readonly string[], isDayFirst: boolean): Piece['kind'][] | undefined {
  const [first = '', second = '', third] = numbers;
  if (numbers.length === 0) return [];
  if (numbers.length === 1) return first.length === 4 ? ['year'] : undefined;
  const pair = (low: string, high: string): Piece['kind'][] => (Number(low) > 12 || (isDayFirst && Number(high) <= 12) ? ['day', 'month'] : ['month', 'day']);
  if (third === undefined) {
    if (first.length === 4) return ['year', 'month'];
    return second.length === 4 ? ['month', 'year'] : pair(first, second);
  }
  if (first.length === 4) return ['year', 'month', 'day'];
  return [...pair(first, second), 'year'];
}

/** Numbers that are no date (13/45) are none. */
function check(pieces: readonly Piece[], style: DateStyle): WrittenDate | undefined {
  const textOf = (kind: Piece['kind']): string | undefined => pieces.find((entry) => entry.kind === kind)?.text;
  const monthPiece = pieces.find(({ kind }) => kind === 'month');
  const month = monthPiece?.word === undefined ? toNumber(monthPiece?.text) : monthPiece.word.index + 1;
  const [year, day] = [readYear(textOf('year'), style), toNumber(textOf('day'))];
  if (month !== undefined && (month < 1 || month > 12)) return undefined;
  if (year !== undefined && (year < 1800 || year > 2200)) return undefined;
  // A leap year where none is given, so that 29 February is a day.
  if (day !== undefined && (day < 1 || day > new Date(Date.UTC(year ?? 2024, month ?? 1, 0)).getUTCDate())) return undefined;
  return { pieces, year, month, day };
}

function readYear(text: string | undefined, style: DateStyle): number | undefined {
  const year = toNumber(text);
  if (year === undefined || text?.length === 4) return year;
  const century = style.year - (style.year % 100);
  return century + year > style.year + 1 ? century - 100 + year : century + year;
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
