/**
 * Owns what the rules share of one text: its tokens, what the word lists say of each, what stands around it, and the finds. Refuses to let two finds
 * overlap: the stronger one keeps its place, the weaker one keeps what is left of its own.
 */
import { categories } from './categories.ts';
import { given, type Lexicon, Word } from './lexicon.ts';
import { Gap, Kind, Shape, type Tokens } from './tokens.ts';
import type { Category, Span } from './types.ts';

/** How sure a rule is; of two finds in one place the surer gives the category. */
export const Sure = { guess: 1, list: 2, context: 3, format: 4 } as const;

export class Scan {
  readonly tokens: Tokens;
  readonly lexicon: Lexicon;
  /** The year it is, for ages that follow from a year of birth. */
  readonly year: number;
  /** What the lists say of words, as it counts in the language of the text. */
  readonly bits: Uint16Array;
  /** Places of numbers. */
  readonly numbers: readonly number[];
  /** The ordinary words of the text are English: what no list knows may then be a name. */
  readonly isEnglish: boolean;
  /** Two words of it or more are of medicine. */
  readonly isClinical: boolean;
  /** A text without any capital, where case says nothing. */
  readonly isCaseless: boolean;
  readonly #types: Uint8Array;
  readonly #sure: Uint8Array;
  readonly #finds: Uint32Array;
  /** Which address a token belongs to; 0 for none. */
  readonly #addresses: Uint32Array;
  #findCount = 0;

  constructor(tokens: Tokens, lexicon: Lexicon, year: number) {
    this.tokens = tokens;
    this.lexicon = lexicon;
    this.year = year;
    const { count, kinds, folded } = this.tokens;
    // In one piece of memory, as the columns of tokens.ts.
    const room = new ArrayBuffer(count * 12);
    this.#finds = new Uint32Array(room, 0, count);
    this.#addresses = new Uint32Array(room, count * 4, count);
    this.bits = new Uint16Array(room, count * 8, count);
    this.bits.set(tokens.bits.subarray(0, count));
    this.#types = new Uint8Array(room, count * 10, count);
    this.#sure = new Uint8Array(room, count * 11, count);
    const numbers: number[] = [];
    for (let index = 0; index < count; index++)
      if (kinds[index] === Kind.number) numbers.push(index);
      else if (kinds[index] === Kind.tag) this.take(index, index + 1, folded[index] as Category, Sure.format);
    this.numbers = numbers;
    this.isClinical = countClinical(this.tokens, this.bits) > 1;
    this.isCaseless = hasNoCapital(this.tokens);
    this.isEnglish = isMostlyEnglish(this.tokens, this.bits);
    this.#settleLanguage();
  }

  /** What is an everyday word depends on the language: in English one with accents is none, whatever it folds to (`Bašić`, `Kárpáthy`). */
  #settleLanguage(): void {
    const { text, starts, ends, folded } = this.tokens;
    for (let index = 0; index < this.count; index++) {
      let bits = this.bits[index]!;
      if (bits === 0) continue;
      if ((bits & Word.spanish) !== 0) bits = (bits & ~Word.spanish) | (this.isEnglish ? 0 : Word.english);
      else if (
        this.isEnglish &&
        this.tokens.shapes[index] !== Shape.lower &&
        folded[index]!.length === ends[index]! - starts[index]! &&
        folded[index] !== text.slice(starts[index]!, ends[index]!).toLowerCase()
      )
        bits &= ~(Word.common | Word.english | Word.rare | Word.medical);
      this.bits[index] = bits;
    }
  }

  get count(): number {
    return this.tokens.count;
  }

  /** The folded word, the digits or the mark at a place; empty outside of the text. */
  at(index: number): string {
    return index >= 0 && index < this.tokens.count ? this.tokens.folded[index]! : '';
  }

  /** The token as it is written. */
  source(index: number): string {
    return this.tokens.text.slice(this.tokens.starts[index], this.tokens.ends[index]);
  }

  isWord(index: number): boolean {
    return this.tokens.kinds[index] === Kind.word;
  }

  isNumber(index: number): boolean {
    return this.tokens.kinds[index] === Kind.number;
  }

  gap(index: number): number {
    return index < this.count ? this.tokens.gaps[index]! : Gap.blank;
  }

  /** Whether nothing stands between a token and the one before. */
  isJoined(index: number): boolean {
    return this.gap(index) === Gap.none;
  }

  /** Whether a rule can begin with the word. */
  isCue(index: number, cue: number): boolean {
    return ((this.tokens.cues[index] ?? 0) & cue) !== 0;
  }

  has(index: number, bits: number): boolean {
    return ((this.bits[index] ?? 0) & bits) !== 0;
  }

  /** A word that begins with a capital; in a text without any, one that the lists hold for a name, or that no list knows. */
  isCapital(index: number): boolean {
    if (!this.isWord(index)) return false;
    return this.tokens.shapes[index] !== Shape.lower || (this.isCaseless && this.#isProper(index));
  }

  #isProper(index: number): boolean {
    const bits = this.bits[index]!;
    if (bits === 0) return !this.isClinical && this.length(index) > 3;
    return (bits & (Word.common | Word.english | Word.medical | Word.eponym)) === 0;
  }

  isUpper(index: number): boolean {
    return this.tokens.shapes[index] === Shape.upper;
  }

  length(index: number): number {
    return this.at(index).length;
  }

  /** A word of the lists of names that no list of ordinary words has. */
  isPlainName(index: number): boolean {
    return this.has(index, given | Word.surname) && !this.has(index, Word.common | Word.english | Word.medical);
  }

  /** Where a sentence, line or item begins: a capital says nothing there. */
  beginsSentence(index: number): boolean {
    return this.gap(index) >= Gap.line || /^[.?!:;•*>"(-]$/.test(this.at(index - 1));
  }

  /** The tokens from first to before end are an identifier. */
  take(first: number, end: number, type: Category, sure: number): void {
    this.#findCount += 1;
    for (let index = first; index < Math.min(end, this.count); index++) {
      if (this.#sure[index]! >= sure) continue;
      this.#sure[index] = sure;
      this.#types[index] = typeNames.indexOf(type);
      this.#finds[index] = this.#findCount;
    }
  }

  /** The tokens from first to before end are one address, over its lines. */
  takeAddress(first: number, end: number, sure: number): void {
    this.take(first, end, 'GEO', sure);
    this.#addresses.fill(this.#findCount, first, end);
  }

  isTaken(index: number): boolean {
    return (this.#types[index] ?? 0) !== 0;
  }

  typeOf(index: number): Category | undefined {
    return typeNames[this.#types[index] ?? 0];
  }

  sureness(index: number): number {
    return this.#sure[index] ?? 0;
  }

  /** What was found: pieces of one find, and neighbours of one category on one line, are one span; parts of an address also across a comma. */
  spans(): Span[] {
    const spans: { start: number; end: number; type: Category }[] = [];
    const { starts, ends, count } = this.tokens;
    let before = -1;
    for (let index = 0; index < count; index++) {
      const type = this.typeOf(index);
      if (type === undefined || this.tokens.kinds[index] === Kind.tag) continue;
      if (before >= 0 && this.typeOf(before) === type && this.#isOneFind(before, index, type)) spans.at(-1)!.end = ends[index]!;
      else spans.push({ start: starts[index]!, end: ends[index]!, type });
      before = index;
    }
    return spans;
  }

  #isOneFind(before: number, index: number, type: Category): boolean {
    const isNext = index === before + 1;
    if (isNext && this.#finds[index] === this.#finds[before]) return true;
    if (isNext && this.#addresses[index] !== 0 && this.#addresses[index] === this.#addresses[before]) return true;
    if (isNext) return joins.has(type) && this.gap(index) <= Gap.space;
    return type === 'GEO' && index === before + 2 && this.at(before + 1) === ',' && this.gap(before + 1) === Gap.none && this.gap(index) <= Gap.line;
  }
}

/** By number; 0 is none. */
const typeNames: readonly (Category | undefined)[] = [undefined, ...categories];

/** Categories whose neighbours are one identifier: `John` `Smith`. */
const joins: ReadonlySet<Category> = new Set(['NAME', 'GEO', 'DATE']);

/** Six of ten words in lower case are known and no Spanish ones; in a text too short to say, no word is Spanish. */
function isMostlyEnglish({ count, shapes, folded }: Tokens, bits: Uint16Array): boolean {
  let [known, all, spanish] = [0, 0, 0];
  for (let index = 0; index < count && all < 2000; index++) {
    if (folded[index]!.length < 2 || shapes[index] === 0) continue;
    const isSpanish = (bits[index]! & Word.spanish) !== 0 && (bits[index]! & Word.common) === 0;
    if (isSpanish && folded[index]!.length > 3) spanish += 1;
    // Names are of no language.
    const isName = bits[index] !== 0 && (bits[index]! & ~(given | Word.surname | Word.city)) === 0;
    if (shapes[index] !== Shape.lower || isName) continue;
    all += 1;
    if (!isSpanish && (bits[index]! & (Word.common | Word.english | Word.medical)) !== 0) known += 1;
  }
  return all < 6 ? spanish <= known : known > all * 0.6;
}

/** Nor any tag, in whose place capitals may have stood. */
function hasNoCapital({ count, kinds, shapes }: Tokens): boolean {
  for (let index = 0; index < count; index++) if (shapes[index]! > Shape.lower || kinds[index] === Kind.tag) return false;
  return true;
}

function countClinical({ count, folded }: Tokens, bits: Uint16Array): number {
  let found = 0;
  for (let index = 0; index < count && found < 2; index++)
    if (folded[index]!.length > 4 && (bits[index]! & (Word.medical | Word.common | Word.english | Word.eponym)) === Word.medical) found += 1;
  return found;
}
