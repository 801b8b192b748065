/**
 * Owns the list of categories in the order of the rule, and what tags of them look like: `[NAME-1]`, or `[NAME-1.2]` for a
 * second spelling of the same value. Refuses to know what such a tag stands for.
 */
import type { Category, Span } from './types.ts';

/** 45 CFR 164.514(b)(2)(i), (A) to (R). A record, because the compiler tells when one is missing. */
const order: Readonly<Record<Category, true>> = {
  NAME: true,
  GEO: true,
  DATE: true,
  PHONE: true,
  FAX: true,
  EMAIL: true,
  SSN: true,
  MRN: true,
  HEALTH_PLAN: true,
  ACCOUNT: true,
  LICENSE: true,
  VEHICLE: true,
  DEVICE: true,
  URL: true,
  IP: true,
  BIOMETRIC: true,
  PHOTO: true,
  OTHER_ID: true,
};
export const categories: readonly Category[] = Object.keys(order) as Category[];

/** How many of each were found; those with none are left out. */
export type Counts = Readonly<Partial<Record<Category, number>>>;

export function countCategories(spans: readonly Span[]): Counts {
  const counts: Partial<Record<Category, number>> = {};
  for (const { type } of spans) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

/** `NAME=3, DATE=1`, in the order of the rule: for headers and refusals, which have no values. */
export function formatCounts(counts: Counts): string {
  return categories.flatMap((category) => (counts[category] === undefined ? [] : [`${category}=${counts[category]}`])).join(', ');
}

/** `[NAME-3]`; the first spelling of a value has no number of its own. */
export function formatTag(category: Category, number: number, spelling = 1): string {
  return `[${category}-${number}${spelling === 1 ? '' : `.${spelling}`}]`;
}

const tagPattern = new RegExp(`\\[(?:${categories.join('|')})-\\d{1,9}(?:\\.\\d{1,9})?\\]`, 'gi');
/** Also without brackets, as models write tags at times: their numbers are not given to anything else. */
const numberPattern = new RegExp(`\\b(${categories.join('|')})-(\\d{1,9})`, 'gi');

const tagHere = new RegExp(tagPattern.source, 'iy');

/** The tag that begins at a place of a text. */
export function tagAt(text: string, at: number): { readonly category: Category; readonly end: number } | undefined {
  tagHere.lastIndex = at;
  const tag = tagHere.exec(text)?.[0];
  return tag === undefined ? undefined : { category: tag.slice(1, tag.indexOf('-')).toUpperCase() as Category, end: at + tag.length };
}

/** Where a text already has tags. */
export function findTags(text: string): { readonly start: number; readonly end: number }[] {
  return Array.from(text.matchAll(tagPattern), ({ index, 0: tag }) => ({ start: index, end: index + tag.length }));
}

/** The text without its tags. */
export function withoutTags(text: string): string {
  return text.replace(tagPattern, ' ');
}

/** Which numbers of tags a text already has. */
export function findTagNumbers(text: string): { readonly category: Category; readonly number: number }[] {
  return Array.from(text.matchAll(numberPattern), ([, name = '', number]) => ({ category: name.toUpperCase() as Category, number: Number(number) }));
}
