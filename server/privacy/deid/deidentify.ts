/**
 * Owns the whole of it for one text: find, decide, replace. Refuses to keep anything but the mapping, which the caller disposes.
 */
import type { DateStyle } from './actions/dates.ts';
import { type Action, createPlan } from './actions/plan.ts';
import { type Place, Replacer } from './actions/replacer.ts';
import { type Counts, countCategories, findTagNumbers } from './categories.ts';
import { createDetector } from './detector.ts';
import { Mapping } from './mapping/mapping.ts';
import { standsApart } from './restore/borders.ts';
import { type FoundSpan, findIdentifiers } from './search.ts';
import type { Category, Detector, Span } from './types.ts';

/** How a text is de-identified; all of it may be left out. */
export interface DeidentifyOptions {
  /** One action for all categories, or one for some; the others get tags. */
  readonly actions?: Action | Readonly<Partial<Record<Category, Action>>>;
  /** Of a conversation: values that it knows become what they became before. Left out, a new one. */
  readonly mapping?: Mapping;
  /** `es` reads 03/04/2024 as the third of April; default `en`. */
  readonly language?: 'en' | 'es';
  /** What ages are counted to; default now. */
  readonly today?: Date;
  /** What reads prose; default that of this package (`createDetector`). */
  readonly detector?: Detector;
}

/** A text without its identifiers, and what was found. */
export interface Deidentified {
  readonly text: string;
  /** Offsets into the text that was given. */
  readonly spans: readonly Span[];
  /** What stands in the place of each. */
  readonly replacements: readonly string[];
  readonly counts: Counts;
  /** Puts the originals back (`restore`); dispose of it when the request ends. */
  readonly mapping: Mapping;
}

let standard: Detector | undefined;

/**
 * Finds identifiers and puts something else in their places. Linear in the length of the text. Throws a TypeError for a mapping that
 * was disposed. Free text is never perfect: Safe Harbor also asks that nobody knows what is left to identify somebody.
 */
export function deidentify(text: string, options: DeidentifyOptions = {}): Deidentified {
  return replaceFound(text, findIdentifiers(text, options.detector ?? (standard ??= createDetector())), options);
}

/** The same with what was found already, sorted and without overlaps. */
export function replaceFound(text: string, spans: readonly FoundSpan[], options: DeidentifyOptions = {}): Deidentified {
  const mapping = options.mapping ?? new Mapping();
  try {
    return replaceAll(text, spans, mapping, options);
  } catch (error) {
    // Nobody else could dispose of it: it was given to no one.
    if (options.mapping === undefined) mapping[Symbol.dispose]();
    throw error;
  }
}

function replaceAll(text: string, spans: readonly FoundSpan[], mapping: Mapping, options: DeidentifyOptions): Deidentified {
  for (const { category, number } of findTagNumbers(text)) mapping.reserve(category, number);
  const style: DateStyle = { isDayFirst: options.language === 'es', year: (options.today ?? new Date()).getUTCFullYear() };
  const replacer = new Replacer(mapping, createPlan(options.actions), style);
  const places = spans.map(({ start, end, type }): Place => ({ category: type, value: text.slice(start, end), isApart: standsApart(text, start, end) }));
  const kept = cutBetween(text, spans);
  replacer.prepare(places, kept);
  const replacements = places.map((place, index) => writePlace(place, spans[index] as FoundSpan, replacer, mapping));
  return {
    text: kept.map((part, index) => part + (replacements[index] ?? '')).join(''),
    spans: spans.map(({ start, end, type }) => ({ start, end, type })),
    replacements,
    counts: countCategories(spans),
    mapping,
  };
}

/** What is left: before, between and behind the spans. */
function cutBetween(text: string, spans: readonly Span[]): string[] {
  return Array.from({ length: spans.length + 1 }, (_, index) => text.slice(spans[index - 1]?.end ?? 0, spans[index]?.start ?? text.length));
}

function writePlace(place: Place, { form }: FoundSpan, replacer: Replacer, mapping: Mapping): string {
  const text = replacer.replace(place);
  if (text === undefined) return place.value;
  if (form === 'number') return writeNumber(text, place, mapping);
  return form === 'fixed' ? writeFixed(text, place.value) : text;
}

/** In JSON a number may become another number, a text or nothing. */
function writeNumber(text: string, { value }: Place, mapping: Mapping): string {
  if (text === '') return 'null';
  if (/^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text)) return text;
  const quoted = `"${text}"`;
  mapping.recordAlso(value, quoted);
  return quoted;
}

/** A date of eight signs in a head of fixed width: what is as long, else the first day of its year. */
function writeFixed(text: string, value: string): string {
  return text.length === value.length ? text : `${value.slice(0, 4)}0101`;
}
