/**
 * Owns the general form of a value that Safe Harbor lets stand: the year of a date, three digits of a ZIP code, `90+` of a high
 * age. Refuses the rest, which gets a tag.
 */
import { sparseZip3 } from '../data/zip3.ts';
import type { Category } from '../types.ts';
import { type DateStyle, readDate } from './dates.ts';

/** Ages up to this one may be told. */
const highestAge = 89;

/** undefined: it has no general form. */
export function generalize(category: Category, value: string, style: DateStyle): string | undefined {
  if (isGeneral(category, value)) return value;
  if (category === 'GEO') return generalizeZip(value);
  return category === 'DATE' ? (generalizeAge(value) ?? generalizeDate(value, style)) : undefined;
}

/** What this page has written before. */
function isGeneral(category: Category, value: string): boolean {
  return category === 'GEO' ? /^\d{3}$/.test(value) : category === 'DATE' && /^(?:\d{4} or earlier|90\+.*)$/.test(value);
}

function generalizeZip(value: string): string | undefined {
  const [, prefix] = /^\s*(\d{3})\d{2}(?:[-\s]?\d{4})?\s*$/.exec(value) ?? [];
  if (prefix === undefined) return undefined;
  return sparseZip3.prefixes.has(prefix) ? '000' : prefix;
}

/** Of an age in digits with whatever stands behind it: `93-year-old`. */
export function generalizeAge(value: string): string | undefined {
  const [age = ''] = /^\d{2,3}(?![\d/.:])/.exec(value) ?? [];
  const number = Number(age);
  return age !== '' && number > highestAge && number <= 130 && !/\d/.test(value.slice(age.length)) ? `90+${value.slice(age.length)}` : undefined;
}

function generalizeDate(value: string, style: DateStyle): string | undefined {
  const date = readDate(value, style);
  if (date?.year === undefined) return undefined;
  if (isTellingAge(date.year, style)) return `${style.year - highestAge - 1} or earlier`;
  // Messages have dates of eight digits where nothing shorter fits.
  return /^\d{8}/.test(value) ? `${date.year}0101` : String(date.year);
}

/** Whether a year is so long ago that it tells an age over 89, if it is somebody's. */
export function isTellingAge(year: number, style: DateStyle): boolean {
  return style.year - year > highestAge;
}
