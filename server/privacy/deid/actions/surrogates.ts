/**
 * Owns values that look like the original and belong to nobody: numbers of ranges that are never given out, domains and addresses
 * kept for examples, digits and letters in the same places with the same kind of checksum. Refuses what is too short to be found
 * again in an answer, and what has no such range: these get tags.
 */
import { placeNames } from '../data/names.ts';
import type { Category } from '../types.ts';
import { keepChecksum } from './checksums.ts';

/** A whole number from 0 to below the limit. */
export type Random = (limit: number) => number;

/** Shorter ones would stand in an answer by chance. */
const fewestSigns = 5;
/** Longer ones (pictures, keys) no answer repeats, and the way back would hold a tree of every sign of them. */
const mostSigns = 256;

/** A candidate; the caller asks again if it is taken. Names and dates are made elsewhere. */
export function makeSurrogate(category: Category, value: string, random: Random): string | undefined {
  if (value.length > mostSigns) return undefined;
  const make = makers[category];
  return value.replace(/[^\p{L}\p{N}]/gu, '').length < fewestSigns && category !== 'GEO' ? undefined : make?.(value, random);
}

const makers: Readonly<Partial<Record<Category, (value: string, random: Random) => string | undefined>>> = {
  GEO: makePlace,
  PHONE: makePhone,
  FAX: makePhone,
  EMAIL: (_, random) => `${randomLetters(6, random)}${random(90) + 10}@example.com`,
  SSN: makeSsn,
  MRN: makeCode,
  HEALTH_PLAN: makeCode,
  ACCOUNT: makeCode,
  LICENSE: makeCode,
  VEHICLE: makeCode,
  DEVICE: makeCode,
  URL: (value, random) => `${/^https?:\/\//i.exec(value)?.[0] ?? 'www.'}example.org/${randomLetters(8, random)}`,
  IP: makeAddress,
  OTHER_ID: makeCode,
};

/** Every digit and letter by another of its kind; a number that does not begin with 0 goes on not to. */
function makeCode(value: string, random: Random): string {
  const drawn = Array.from(value, (sign, index) => {
    if (/\d/.test(sign)) return String(index === 0 && sign !== '0' ? random(9) + 1 : random(10));
    if (/[a-z]/.test(sign)) return randomLetters(1, random);
    return /[A-Z]/.test(sign) ? randomLetters(1, random).toUpperCase() : sign;
  }).join('');
  return refill(drawn, keepChecksum(drawn.replace(/\D/g, ''), value.replace(/\D/g, '')));
}

/** The area 666 has never been given out, and will not be (20 CFR 422, Social Security Number Randomization). */
function makeSsn(value: string, random: Random): string | undefined {
  if (value.replace(/\D/g, '').length !== 9) return undefined;
  return refill(value, `666${String(random(99) + 1).padStart(2, '0')}${String(random(9999) + 1).padStart(4, '0')}`);
}

/** 555-0100 to 555-0199 are for fiction in every area of the North American plan; other plans have no range that all know. */
function makePhone(value: string, random: Random): string | undefined {
  const [, main = '', extension = ''] = /^(.*?)((?:\s*(?:ext\.?|x|#)\s*\d+)?)$/is.exec(value.slice(0, 64)) ?? [];
  const digits = main.replace(/\D/g, '');
  const local = `55501${String(random(100)).padStart(2, '0')}`;
  const area = areaCodes[random(areaCodes.length)] ?? '';
  const number =
    digits.length === 7 ? local : digits.length === 10 ? `${area}${local}` : digits.length === 11 && digits.startsWith('1') ? `1${area}${local}` : undefined;
  if (number === undefined || value.length > 64) return undefined;
  return refill(main, number) + extension.replace(/\d/g, () => String(random(10)));
}

const areaCodes = ['205', '307', '406', '505', '605', '701', '802', '907', '208', '304', '402', '515', '603', '712', '808'];

/** RFC 5737 and RFC 3849. */
function makeAddress(value: string, random: Random): string | undefined {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(value)) return `${['192.0.2', '198.51.100', '203.0.113'][random(3)]}.${random(254) + 1}`;
  return value.includes(':') ? `2001:db8::${(random(65_535) + 1).toString(16)}:${(random(65_535) + 1).toString(16)}` : undefined;
}

const streetEnds =
  /\b(?:st|street|ave|avenue|rd|road|ln|lane|dr|drive|blvd|boulevard|ct|court|way|pl|place|ter|terrace|hwy|highway|pkwy|parkway|cir|circle)\b/i;
const facilities =
  /\b(?:(?:general|memorial|regional|community|children'?s|medical|health|family|care|nursing|rehabilitation|surgical|university)\s+)*(?:hospital|clinic|center|centre|hospice|home|institute|infirmary|practice|group|pharmacy|system)\b.*$/i;

function makePlace(value: string, random: Random): string | undefined {
  const name = placeNames[random(placeNames.length)] ?? '';
  const like = value === value.toUpperCase() && /[A-Z]/.test(value) ? name.toUpperCase() : name;
  if (value.length > 80 || /[,\n]/.test(value)) return undefined;
  // No ZIP code begins with 099, 213 or 269.
  if (/^\d{5}(?:-?\d{4})?$/.test(value))
    return refill(value, `${['099', '213', '269'][random(3)]}${String(random(1e6)).padStart(6, '0')}`.slice(0, value.replace(/\D/g, '').length));
  if (/^-?\d+\.\d+$/.test(value)) return undefined;
  if (/^\d/.test(value)) return `${random(8999) + 1000} ${like} ${streetEnds.exec(value)?.[0] ?? 'Street'}`;
  return /\d/.test(value) ? undefined : like + (facilities.exec(value)?.[0] === undefined ? '' : ` ${facilities.exec(value)?.[0]}`);
}

/** The digits in the places where the form has digits. */
function refill(form: string, digits: string): string {
  let at = 0;
  return form.replace(/\d/g, () => digits[at++] ?? '');
}

function randomLetters(count: number, random: Random): string {
  let text = '';
  // No vowels: it becomes no word.
  for (let at = 0; at < count; at += 1) text += 'bcdfghjkmnpqrstvwx'[random(18)];
  return text;
}
