/**
 * Owns what the formats share: codes of HL7 table 0203 for kinds of identifiers, dates of messages, schemes of contacts, and how a
 * code of our own looks that no language has as a word. Refuses free text.
 */
import type { Category } from '../types.ts';

/** HL7 table 0203; others are OTHER_ID. */
const identifierTypes: Readonly<Record<string, Category>> = {
  MR: 'MRN',
  MRT: 'MRN',
  PI: 'MRN',
  PT: 'MRN',
  SS: 'SSN',
  SSA: 'SSN',
  AN: 'ACCOUNT',
  VN: 'ACCOUNT',
  BA: 'ACCOUNT',
  DL: 'LICENSE',
  MD: 'LICENSE',
  NPI: 'LICENSE',
  PRN: 'LICENSE',
  LN: 'LICENSE',
  DEA: 'LICENSE',
  MA: 'HEALTH_PLAN',
  MC: 'HEALTH_PLAN',
  MB: 'HEALTH_PLAN',
  MCN: 'HEALTH_PLAN',
  NIIP: 'HEALTH_PLAN',
  SN: 'DEVICE',
  UDI: 'DEVICE',
};

/** Object identifiers and addresses of systems of numbers. */
const identifierSystems: readonly (readonly [string, Category])[] = [
  ['2.16.840.1.113883.4.1', 'SSN'],
  ['us-ssn', 'SSN'],
  ['2.16.840.1.113883.4.6', 'LICENSE'],
  ['us-npi', 'LICENSE'],
  ['us-medicare', 'HEALTH_PLAN'],
  ['us-mbi', 'HEALTH_PLAN'],
  ['/mrn', 'MRN'],
  ['passport', 'OTHER_ID'],
];

export function identifierType(code: string | undefined, system: string | undefined): Category {
  const byCode = code === undefined ? undefined : identifierTypes[code.toUpperCase()];
  if (byCode !== undefined) return byCode;
  const folded = system?.toLowerCase() ?? '';
  return identifierSystems.find(([name]) => folded.endsWith(name))?.[1] ?? 'OTHER_ID';
}

/** `20240315`, with a time or without, as HL7, C-CDA, X12 and NCPDP have it. */
export function isPackedDate(value: string): boolean {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?(?:[+-]\d{4})?$/.exec(value) ?? [];
  return isDay(Number(year), Number(month), Number(day));
}

/** `2024-03-15` or with a time (FHIR); `2024-03` too. A year alone may stand. */
export function isDashedDate(value: string): boolean {
  const [, year, month, day = '01'] = /^(\d{4})-(\d{2})(?:-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,12})?)?(?:Z|[+-]\d{2}:\d{2})?)?)?$/.exec(value) ?? [];
  return isDay(Number(year), Number(month), Number(day));
}

function isDay(year: number, month: number, day: number): boolean {
  return year >= 1850 && year <= 2150 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/** `tel:`, `mailto:`: what is behind it, and where that begins. */
export function contactOf(value: string, system?: string): { readonly type: Category; readonly skip: number } {
  const [, scheme] = /^(tel|fax|mailto|sms|https?|ftp):/i.exec(value) ?? [];
  const kind = scheme?.toLowerCase() ?? system?.toLowerCase() ?? '';
  const skip = scheme === undefined || /^(?:http|ftp)/i.test(scheme) ? 0 : scheme.length + 1;
  if (kind === 'mailto' || kind === 'email' || value.includes('@')) return { type: 'EMAIL', skip };
  if (kind === 'fax') return { type: 'FAX', skip };
  return { type: /^(?:http|ftp|url)/.test(kind) ? 'URL' : 'PHONE', skip };
}

/** Signs of words that no word of English or Spanish begins with, and long mixes of letters and digits. */
const coined = /(?<![\p{L}\p{N}])(?:([B-DF-HJ-KM-NP-TV-Z])\1[A-Z0-9]{4,}|(?=[A-Z0-9]{0,40}\d)(?=[A-Z0-9]{0,40}[A-Z])[A-Z0-9]{9,40})(?![\p{L}\p{N}])/gu;

/**
 * Where a text of a message has a code that is no word: in prose of interfaces, that is a number of something. Bounded by the
 * length of a code, so linear.
 */
export function findCodes(text: string): { readonly start: number; readonly end: number }[] {
  return Array.from(text.matchAll(coined), ({ index, 0: code }) => ({ start: index, end: index + code.length }));
}
