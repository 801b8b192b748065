/**
 * Owns what stands for what, for one request or a conversation that the caller holds: in memory only, never in a text, JSON or log.
 * Originals lie in buffers that dispose() overwrites; the rest is let go. Refuses to be used after that.
 */
import { randomInt } from 'node:crypto';
import { SurrogateNames } from '../actions/surrogate-names.ts';
import type { Random } from '../actions/surrogates.ts';
import { formatTag } from '../categories.ts';
import type { Category } from '../types.ts';
import { People } from './people.ts';
import { ValueStore } from './values.ts';

/** What an answer may have in it, and which value it stands for. */
export interface Pair {
  readonly text: string;
  readonly value: number;
  /** Of a word of a name: it is put back in whatever case, with an ending of its own. */
  readonly isName: boolean;
}

interface Group {
  readonly number: number;
  /** Number of each spelling, by the number of its value. */
  readonly spellings: Map<number, number>;
}

/** Days; below a week the shifted dates would often be the true ones of their neighbours, beyond a year ages move. */
const [leastShift, mostShift] = [7, 364];

/** The secret of a request. It has no form but this object: printed or turned to JSON it is a count. */
export class Mapping implements Disposable {
  readonly #values = new ValueStore();
  readonly #norms = new ValueStore();
  readonly #people = new People();
  readonly #names: SurrogateNames;
  readonly #pairs: Pair[] = [];
  readonly #byText = new Map<string, number>();
  readonly #replacements = new Map<string, string>();
  readonly #groups = new Map<string, Group>();
  readonly #next = new Map<Category, number>();
  readonly #reserved = new Map<Category, Set<number>>();
  readonly #random: Random;
  #shift: number | undefined;
  #isDisposed = false;

  /** `random` gives a whole number below its argument; left out, from the system's source. */
  constructor(random: Random = randomInt) {
    this.#random = random;
    this.#names = new SurrogateNames(random);
  }

  /** Number of originals in it. */
  get size(): number {
    return this.#values.count;
  }

  /** Overwrites the originals and forgets the rest; texts of before stay as they are. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const part of [this.#values, this.#norms, this.#people, this.#names, this.#byText, this.#replacements, this.#groups, this.#reserved]) part.clear();
    this.#pairs.length = 0;
    this.#shift = undefined;
  }

  /** Its size, and no more; printed, it shows nothing. */
  toJSON(): { readonly size: number } {
    return { size: this.size };
  }

  /** @internal */
  get random(): Random {
    return this.#random;
  }

  /** Secret; one for the life of the mapping. @internal */
  get shift(): number {
    this.#check();
    return (this.#shift ??= (this.#random(2) === 0 ? -1 : 1) * (leastShift + this.#random(mostShift - leastShift + 1)));
  }

  /** @internal */
  get names(): SurrogateNames {
    return this.#names;
  }

  /** All that may be put back; grows only. @internal */
  get pairs(): readonly Pair[] {
    return this.#pairs;
  }

  /** An original, as a new string; undefined once it is gone. @internal */
  originalOf(pair: Pair): string | undefined {
    return this.#isDisposed ? undefined : this.#values.get(pair.value);
  }

  /** These numbers stand in the text already. @internal */
  reserve(category: Category, number: number): void {
    this.#check();
    const numbers = this.#reserved.get(category);
    if (numbers === undefined) this.#reserved.set(category, new Set([number]));
    else numbers.add(number);
  }

  /** Names of a text, together. @internal */
  meet(names: Iterable<string>): void {
    this.#check();
    this.#people.meet(names);
  }

  /** What stands for a value already. @internal */
  find(category: Category, value: string): string | undefined {
    const index = this.#values.find(value);
    return index < 0 ? undefined : this.#replacements.get(`${category}:${index}`);
  }

  /** False if the text stands for something else already: then it cannot be put back. @internal */
  record(category: Category, value: string, text: string): boolean {
    this.#check();
    const index = this.#values.add(value);
    if (!this.#pair(text, index, category === 'NAME' && !text.startsWith('['))) return false;
    this.#replacements.set(`${category}:${index}`, text);
    return true;
  }

  /** What a part of a recorded text stands for on its own. @internal */
  recordWord(original: string, text: string): void {
    this.#pair(text, this.#values.add(original), true);
  }

  /** Another text that stands for it: with quotes, where a number of JSON became a text. @internal */
  recordAlso(value: string, text: string): void {
    this.#pair(text, this.#values.add(value), false);
  }

  /** Whether the text stands for something. @internal */
  stands(text: string): boolean {
    return this.#byText.has(text);
  }

  /** The tag of a value, which may have other spellings with the same number. @internal */
  tag(category: Category, value: string): string {
    this.#check();
    const index = this.#values.add(value);
    const group = this.#groupOf(category, value);
    const spelling = group.spellings.get(index) ?? group.spellings.size + 1;
    group.spellings.set(index, spelling);
    return formatTag(category, group.number, spelling);
  }

  #groupOf(category: Category, value: string): Group {
    const person = category === 'NAME' ? this.#people.personOf(value) : undefined;
    const key = `${category}:${person === undefined ? `n${this.#norms.add(normalize(category, value))}` : person.number}`;
    const known = person?.number === 0 ? undefined : this.#groups.get(key);
    if (known !== undefined) return known;
    const number = this.#takeNumber(category);
    if (person !== undefined) person.number = number;
    const group: Group = { number, spellings: new Map() };
    this.#groups.set(person === undefined ? key : `${category}:${number}`, group);
    return group;
  }

  #takeNumber(category: Category): number {
    let number = this.#next.get(category) ?? 1;
    while (this.#reserved.get(category)?.has(number) === true) number += 1;
    this.#next.set(category, number + 1);
    return number;
  }

  #pair(text: string, value: number, isName: boolean): boolean {
    const known = this.#byText.get(text);
    if (known !== undefined) return known === value;
    this.#byText.set(text, value);
    this.#pairs.push({ text, value, isName });
    return true;
  }

  #check(): void {
    if (this.#isDisposed) throw new TypeError('The mapping was disposed: expected one in use, found one that has ended; make a new one.');
  }
}

/** One form for the spellings of a value: capitals, spaces and, of numbers, the signs between digits do not count. */
function normalize(category: Category, value: string): string {
  const folded = value.normalize('NFC').toLowerCase();
  if (category === 'GEO' || category === 'DATE') return folded.replace(/\s+/g, ' ');
  const signs = folded.replace(/[^\p{L}\p{N}]/gu, '');
  return signs === '' ? folded : signs;
}
