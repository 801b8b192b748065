/**
 * Owns which names belong to one person: `John A. Smith`, `SMITH, JOHN`, `J. Smith`, `Smith`, `J.S.` and `JS`, as long as there is
 * only one whom they can mean. Refuses to guess between two.
 */
import { foldWord, readInitials, readName } from '../actions/name.ts';
import { ValueStore } from './values.ts';

export interface Person {
  /** Number in its tag, 0 before it has one. */
  number: number;
  /** Words of the names, by their numbers in the store. */
  readonly words: Set<number>;
  /** First letters of those, as numbers of the store. */
  readonly initials: Set<number>;
}

interface Words {
  readonly words: readonly number[];
  readonly initials: readonly number[];
}

export class People {
  readonly #store = new ValueStore();
  readonly #byWord = new Map<number, Set<Person>>();
  readonly #byInitial = new Map<number, Set<Person>>();
  /** Who is behind each name that was met. */
  readonly #byName = new Map<number, Person>();

  /** Meets the names of a text together, those with the most words first, so that order does not decide who is who. */
  meet(names: Iterable<string>): void {
    const read = Array.from(new Set(names), (name) => ({ name, ...this.#read(name) }));
    read.sort((a, b) => b.words.length - a.words.length || b.initials.length - a.initials.length);
    for (const { name, words, initials } of read) {
      const index = this.#store.add(name);
      if (!this.#byName.has(index)) this.#byName.set(index, this.#find(words, initials) ?? this.#findByInitials(name) ?? this.#create(words, initials));
    }
  }

  personOf(name: string): Person {
    const known = this.#byName.get(this.#store.find(name));
    if (known !== undefined) return known;
    this.meet([name]);
    return this.personOf(name);
  }

  clear(): void {
    this.#store.clear();
    this.#byWord.clear();
    this.#byInitial.clear();
    this.#byName.clear();
  }

  #read(name: string): Words {
    const parts = readName(name);
    const wordsOf = (wanted: (kind: string) => boolean): number[] => [
      ...new Set(parts.filter(({ kind }) => wanted(kind)).map(({ text }) => this.#store.add(foldWord(text)))),
    ];
    return { words: wordsOf((kind) => kind === 'given' || kind === 'family'), initials: wordsOf((kind) => kind === 'initial') };
  }

  /** The one person whom these words can mean. */
  #find(words: readonly number[], initials: readonly number[]): Person | undefined {
    const sets = words.map((word) => this.#byWord.get(word) ?? new Set<Person>()).sort((a, b) => a.size - b.size);
    const [smallest, ...others] = sets;
    if (smallest === undefined || smallest.size > mostNamesakes) return undefined;
    const all = [...smallest].filter((person) => others.every((set) => set.has(person)) && fits(person, words, initials));
    if (all.length > 0) return all.length === 1 ? this.#add(all[0] as Person, words, initials) : undefined;
    return this.#extend(sets, words, initials);
  }

  /** Of `J.S.` and `JS` the one person of two words and more whose names begin so. */
  #findByInitials(name: string): Person | undefined {
    const letters = readInitials(name);
    const sets = letters.map((letter) => this.#byInitial.get(this.#store.add(letter)) ?? new Set<Person>()).sort((a, b) => a.size - b.size);
    const [smallest, ...others] = sets;
    if (smallest === undefined || smallest.size > mostNamesakes) return undefined;
    const all = [...smallest].filter((person) => person.words.size > 1 && others.every((set) => set.has(person)));
    return all.length === 1 ? all[0] : undefined;
  }

  /** A person known by one word of this longer name only. */
  #extend(sets: readonly Set<Person>[], words: readonly number[], initials: readonly number[]): Person | undefined {
    const known = new Set(sets.filter(({ size }) => size <= mostNamesakes).flatMap((set) => [...set]));
    const short = [...known].filter((person) => person.words.size === 1);
    const [person] = short;
    if (person === undefined || short.length > 1 || known.size > 1) return undefined;
    return this.#add(person, words, initials);
  }

  #create(words: readonly number[], initials: readonly number[]): Person {
    return this.#add({ number: 0, words: new Set(), initials: new Set() }, words, initials);
  }

  #add(person: Person, words: readonly number[], initials: readonly number[]): Person {
    for (const word of words) {
      person.words.add(word);
      addTo(this.#byWord, word, person);
    }
    for (const initial of [...words.map((word) => this.#store.add(this.#store.get(word).slice(0, 1))), ...initials]) {
      person.initials.add(initial);
      addTo(this.#byInitial, initial, person);
    }
    return person;
  }
}

function addTo(map: Map<number, Set<Person>>, key: number, person: Person): void {
  const people = map.get(key);
  if (people === undefined) map.set(key, new Set([person]));
  else people.add(person);
}

/** With more people of one name none of them is certain, and looking at all for each name would take square time. */
const mostNamesakes = 16;

/** Initials speak against a person whose other names are known and begin otherwise. */
function fits({ words: known, initials: begins }: Person, words: readonly number[], initials: readonly number[]): boolean {
  return known.size <= words.length
    ? initials.every((initial) => begins.has(initial)) || begins.size <= words.length
    : initials.every((initial) => begins.has(initial));
}
