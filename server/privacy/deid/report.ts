/**
 * Owns what a privacy officer reads about one text: what was found, by category, each with the words around it. Refuses to be kept: it
 * holds what was found, so it is for texts that may be shown, as synthetic ones.
 */
import { categories } from './categories.ts';
import { sparseZip3 } from './data/zip3.ts';
import type { Category, Span } from './types.ts';

export interface Finding {
  readonly before: string;
  readonly value: string;
  readonly after: string;
  /** What stands in its place; empty where it was removed. */
  readonly replacement: string;
}

export interface FindingsOf {
  readonly category: Category;
  readonly findings: readonly Finding[];
}

/** Signs of context on either side. */
const contextLength = 32;

/** By category in the order of the rule; `replacements` are those of the spans, in their order. */
export function listFindings(text: string, spans: readonly Span[], replacements: readonly string[]): FindingsOf[] {
  const describe = ({ start, end }: Span, replacement: string): Finding => ({
    before: oneLine(text.slice(Math.max(0, start - contextLength), start)),
    value: oneLine(text.slice(start, end)),
    after: oneLine(text.slice(end, end + contextLength)),
    replacement,
  });
  return categories.flatMap((category) => {
    const findings = spans.flatMap((span, index) => (span.type === category ? [describe(span, replacements[index] ?? '')] : []));
    return findings.length === 0 ? [] : [{ category, findings }];
  });
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ');
}

/** What each category is, in the words of the rule. */
export const categoryMeanings: Readonly<Record<Category, string>> = {
  NAME: 'names',
  GEO: 'geographic units smaller than a state',
  DATE: 'elements of dates except the year, and ages over 89',
  PHONE: 'telephone numbers',
  FAX: 'fax numbers',
  EMAIL: 'e-mail addresses',
  SSN: 'social security numbers',
  MRN: 'medical record numbers',
  HEALTH_PLAN: 'health plan beneficiary numbers',
  ACCOUNT: 'account numbers',
  LICENSE: 'certificate and licence numbers',
  VEHICLE: 'vehicle identifiers and plates',
  DEVICE: 'device identifiers and serial numbers',
  URL: 'web addresses',
  IP: 'addresses of the internet protocol',
  BIOMETRIC: 'biometric identifiers',
  PHOTO: 'full-face photographs and like images',
  OTHER_ID: 'any other unique number, characteristic or code',
};

/** What every report says. */
export const limits: readonly string[] = [
  'The method is Safe Harbor, 45 CFR 164.514(b)(2): the 18 categories are removed, and nobody may know that what is left could identify somebody. The software cannot judge the second part.',
  'No detector of free text finds everything: a name that looks like a word, a rare event, an occupation or a photograph described in words can stay. Have a person read a sample.',
  'A date that was shifted and a surrogate look real. Say so to whoever gets the text.',
  `ZIP codes are cut to three digits, or 000 for ${sparseZip3.prefixes.size} areas of 20,000 people or fewer (${sparseZip3.source}, data of ${sparseZip3.date}).`,
];
