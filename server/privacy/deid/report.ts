/**
 * Owns what a privacy officer reads about one text: how many of each category of the rule, each find with its line and the words around it, and what was left
 * although it looks like an identifier. Refuses to be kept: it holds what was found, so it is for texts that may be shown, as synthetic ones.
 */
import { categories } from './categories.ts';
import { sparseZip3 } from './data/zip3.ts';
import { given, loadLexicon, Word } from './lexicon.ts';
import { Kind, Shape, type Tokens, tokenize } from './tokens.ts';
import type { Category, Span } from './types.ts';

/** A place of the text with what stands around it. */
export interface Place {
  /** From 1. */
  readonly line: number;
  readonly before: string;
  readonly value: string;
  readonly after: string;
}

export interface Finding extends Place {
  /** What stands in its place; empty where it was removed. */
  readonly replacement: string;
}

export interface FindingsOf {
  readonly category: Category;
  readonly findings: readonly Finding[];
}

export interface Report {
  /** UTF-16 units of the text. */
  readonly length: number;
  /** Every category in the order of the rule, also those of which nothing was found. */
  readonly categories: readonly FindingsOf[];
  /** What was left and may be worth a look. */
  readonly left: readonly Place[];
}

/** Signs of context on either side. */
const contextLength = 32;
/** Digits of a number that is long for a result or a dose. */
const longNumber = 5;

/** `replacements` are those of the spans, in their order. */
export function createReport(text: string, spans: readonly Span[], replacements: readonly string[]): Report {
  const describe = createDescriber(text);
  const findings = spans.map((span, index) => ({ type: span.type, finding: { ...describe(span), replacement: replacements[index] ?? '' } }));
  return {
    length: text.length,
    categories: categories.map((category) => ({ category, findings: findings.flatMap(({ type, finding }) => (type === category ? [finding] : [])) })),
    left: findLeft(text, spans).map(describe),
  };
}

/** Places must come in their order, so that lines are counted once. */
function createDescriber(text: string): (range: Pick<Span, 'start' | 'end'>) => Place {
  const starts = Array.from(text.matchAll(/\n/g), ({ index }) => index);
  return ({ start, end }) => ({
    line: 1 + countBelow(starts, start),
    before: oneLine(text.slice(Math.max(0, start - contextLength), start)),
    value: oneLine(text.slice(start, end)),
    after: oneLine(text.slice(end, end + contextLength)),
  });
}

/** How many of the sorted numbers are below. */
function countBelow(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Words with a capital that a list has for a name of people or of a town, and long numbers, that no find covers. */
function findLeft(text: string, spans: readonly Span[]): { readonly start: number; readonly end: number }[] {
  const tokens = tokenize(text, loadLexicon());
  const left: { readonly start: number; readonly end: number }[] = [];
  let next = 0;
  for (let index = 0; index < tokens.count; index++) {
    const [start, end] = [tokens.starts[index]!, tokens.ends[index]!];
    while (next < spans.length && spans[next]!.end <= start) next += 1;
    if ((spans[next]?.start ?? Number.POSITIVE_INFINITY) >= end && looksLike(tokens, index)) left.push({ start, end });
  }
  return left;
}

function looksLike({ kinds, shapes, folded, bits: known }: Tokens, index: number): boolean {
  const word = folded[index]!;
  if (kinds[index] === Kind.number) return word.length >= longNumber;
  if (kinds[index] !== Kind.word || shapes[index] === Shape.lower || word.length < 3) return false;
  const bits = known[index]!;
  return (bits & (given | Word.surname | Word.city)) !== 0 && (bits & (Word.common | Word.spanish)) === 0;
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ');
}

/** What each category is, in the words of the rule; they are its (A) to (R). */
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

/** `(A)`, as 45 CFR 164.514(b)(2)(i) counts them. */
export function letterOf(category: Category): string {
  return `(${String.fromCharCode(65 + categories.indexOf(category))})`;
}

/** What every report says. */
export const limits: readonly string[] = [
  'The method is Safe Harbor, 45 CFR 164.514(b)(2): the 18 categories are removed, and nobody may know that what is left could identify somebody. The software cannot judge the second part.',
  'No detector of free text finds everything: a name that looks like a word, a rare event, an occupation or a photograph described in words can stay. Have a person read a sample.',
  'How much stays on public sets of synthetic people is measured (docs/deid.md); your notes differ. Images, sound and files are not looked at.',
  'A date that was shifted and a surrogate look real. Say so to whoever gets the text.',
  `ZIP codes are cut to three digits, or 000 for ${sparseZip3.prefixes.size} areas of 20,000 people or fewer (${sparseZip3.source}, data of ${sparseZip3.date}).`,
];

/** What a list of what was left is. */
export const leftMeaning =
  'Words with a capital that a list has for a name or a town, and numbers of five digits or more. Most are names of diseases, drugs or states, and results; one that is somebody was missed.';
