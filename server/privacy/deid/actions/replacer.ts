/**
 * Owns what each found value becomes in one text, by the plan: the same value the same everywhere. Refuses a surrogate or shifted
 * date that also stands in the text for itself, because an answer could not tell the two apart; such a value gets a tag.
 */

import { Mapping } from '../mapping/mapping.ts';
import { restore } from '../restore/restorer.ts';
import type { Category } from '../types.ts';
import { type DateStyle, readDate, shiftDate } from './dates.ts';
import { generalize, generalizeAge, isTellingAge } from './generalize.ts';
import { foldWord } from './name.ts';
import type { Plan } from './plan.ts';
import { makeSurrogate } from './surrogates.ts';

export interface Place {
  readonly category: Category;
  readonly value: string;
  /** Within a word or number a surrogate could not be told from its neighbours. */
  readonly isApart: boolean;
}

export class Replacer {
  readonly #mapping: Mapping;
  readonly #plan: Plan;
  readonly #style: DateStyle;

  constructor(mapping: Mapping, plan: Plan, style: DateStyle) {
    this.#mapping = mapping;
    this.#plan = plan;
    this.#style = style;
  }

  /** Decides for all places of a text; `kept` is the rest of it. */
  prepare(places: readonly Place[], kept: readonly string[]): void {
    this.#mapping.meet(places.flatMap(({ category, value }) => (category === 'NAME' ? [value] : [])));
    const words = this.#needsWords() ? collectWords([...kept, ...places.map(({ value }) => value)]) : new Set<string>();
    const proposed = new Map<string, Place & { readonly text: string }>();
    const bound = new Set(places.filter(({ isApart }) => !isApart).map(keyOf));
    for (const place of places) {
      const key = keyOf(place);
      if (bound.has(key)) continue;
      if (this.#plan[place.category] !== 'surrogate' || proposed.has(key) || this.#mapping.find(place.category, place.value) !== undefined) continue;
      const text = this.#propose(place, words);
      if (text !== undefined) proposed.set(key, { ...place, text });
    }
    const unsafe = findStanding(
      [...proposed.values()].map(({ text }) => text),
      kept,
    );
    for (const { category, value, text } of proposed.values()) if (!unsafe.has(text)) this.#mapping.record(category, value, text);
  }

  /** undefined: it stays. */
  replace({ category, value }: Place): string | undefined {
    const action = this.#plan[category];
    if (action === 'keep') return undefined;
    if (action === 'remove') return '';
    const known = this.#mapping.find(category, value);
    if (known !== undefined) return known;
    const general = action === 'generalize' || (action === 'surrogate' && category === 'DATE') ? this.#generalize(action, category, value) : undefined;
    if (general !== undefined) return general;
    const tag = this.#mapping.tag(category, value);
    this.#mapping.record(category, value, tag);
    return tag;
  }

  /** A high age has no surrogate that would not be one. */
  #generalize(action: 'generalize' | 'surrogate', category: Category, value: string): string | undefined {
    return action === 'surrogate' ? generalizeAge(value) : generalize(category, value, this.#style);
  }

  #propose({ category, value }: Place, words: ReadonlySet<string>): string | undefined {
    if (category === 'DATE') return this.#shift(value);
    if (category === 'NAME') return this.#proposeName(value, words);
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const text = makeSurrogate(category, value, this.#mapping.random);
      if (text === undefined) return undefined;
      if (text !== value && Array.from(collectWords([text])).some((word) => !words.has(word))) return text;
    }
    return undefined;
  }

  #proposeName(value: string, words: ReadonlySet<string>): string | undefined {
    const made = this.#mapping.names.make(value, (word) => words.has(word));
    for (const { original, surrogate } of made?.words ?? []) this.#mapping.recordWord(original, surrogate);
    return made?.text;
  }

  #shift(value: string): string | undefined {
    const date = readDate(value, this.#style);
    if (date === undefined || (date.year !== undefined && isTellingAge(date.year, this.#style))) return undefined;
    const shifted = shiftDate(date, this.#mapping.shift, this.#style);
    return shifted === value ? undefined : shifted;
  }

  #needsWords(): boolean {
    return Object.values(this.#plan).includes('surrogate');
  }
}

const mostAttempts = 8;

function keyOf({ category, value }: Place): string {
  return `${category}:${value}`;
}

function collectWords(texts: readonly string[]): Set<string> {
  return new Set(texts.flatMap((text) => Array.from(text.matchAll(/[\p{L}\p{M}\p{N}]+/gu), ([word]) => foldWord(word))));
}

/** Which of the texts stand in what is kept, by the rules of the way back. */
function findStanding(texts: readonly string[], kept: readonly string[]): Set<string> {
  const found = new Set<string>();
  if (texts.length === 0) return found;
  using probe = new Mapping();
  // Each text stands for a mark that no note has, so that what comes back tells which it was.
  const marks = new Map(texts.map((text, index) => [`\u{e000}${index}\u{e001}`, text]));
  for (const [mark, text] of marks) probe.record('OTHER_ID', mark, text);
  for (const part of kept) for (const [mark] of restore(part, probe).matchAll(/\u{e000}\d+\u{e001}/gu)) found.add(marks.get(mark) ?? '');
  return found;
}
