/**
 * Owns the word lists: reads them once from data/ and says of a folded word which of them hold it. Lists are front-coded (scripts/deid/make.py writes
 * them; origins and licences in data/README.md).
 */
import { readFileSync } from 'node:fs';
import { brands } from './brands.ts';
import { clinicalAbbreviations, clinicalEponyms, clinicalWords } from './clinical.ts';
import { spanishRegions, spanishWords } from './spanish.ts';

/** Bits of what a word is; a word can be several things. */
export const Word = {
  /** An everyday English word. */
  common: 1,
  /** Any other English word of the lists. */
  english: 2,
  /** A word or brand of medicine. */
  medical: 4,
  /** A name that stands for a disease, sign, test or device. */
  eponym: 8,
  female: 16,
  male: 32,
  surname: 64,
  city: 128,
  /** Rare in English, so that a name is as likely. */
  rare: 256,
  /** An everyday Spanish word. */
  spanish: 512,
} as const;
export const given: number = Word.female | Word.male;

export interface Lexicon {
  /** Bits of a folded word; 0 where no list has it. Ordinary inflections count as their stem. */
  look(word: string): number;
  /** Names of places of more than one word, by the first: the rest of each, longest first. */
  readonly longPlaces: ReadonlyMap<string, readonly (readonly string[])[]>;
}

let shared: Lexicon | undefined;

/** The lists, read at the first call (some tenths of a second) and kept. */
export function loadLexicon(): Lexicon {
  return (shared ??= readLexicon());
}

function readLexicon(): Lexicon {
  const bits = new Map<string, number>();
  const longPlaces = new Map<string, string[][]>();
  const add = (words: Iterable<string>, bit: number): void => {
    for (const word of words) bits.set(word, (bits.get(word) ?? 0) | bit);
  };
  add(readList('common'), Word.common);
  add(readList('words'), Word.english);
  add(readList('rare'), Word.rare);
  add(readList('medical'), Word.medical);
  add(readList('eponyms'), Word.eponym);
  add(readList('given-female'), Word.female);
  add(readList('given-male'), Word.male);
  add(readList('surnames'), Word.surname);
  add(clinicalWords, Word.medical);
  add(brands, Word.medical);
  add(clinicalAbbreviations, Word.medical);
  add(clinicalEponyms, Word.eponym);
  for (const place of [...readList('cities'), ...readList('counties')]) {
    const [first = '', ...rest] = place.split(' ');
    if (rest.length === 0) add([place], Word.city);
    else longPlaces.set(first, [...(longPlaces.get(first) ?? []), rest]);
  }
  for (const rests of longPlaces.values()) rests.sort((a, b) => b.length - a.length);
  for (const word of spanishWords) if (((bits.get(word) ?? 0) & given) === 0 || word.length < 5) add([word], Word.spanish);
  add(spanishRegions, Word.city);
  return { look: (word) => lookUp(bits, word), longPlaces };
}

function readList(name: string): string[] {
  const words: string[] = [];
  let before = '';
  for (const line of readFileSync(new URL(`data/${name}.txt`, import.meta.url), 'latin1').split('\n'))
    for (const [, letter = 'A', rest = ''] of line.matchAll(/([A-Z])([a-z ]*)/g)) words.push((before = before.slice(0, letter.charCodeAt(0) - 65) + rest));
  return words;
}

/** Endings and what can stand in their place. The lists leave out what these rules make of other entries. */
const endings: readonly (readonly [string, readonly string[]])[] = [
  ['ies', ['y']],
  ['ally', ['']],
  ['ness', ['']],
  ['ing', ['', 'e']],
  ['ed', ['', 'e']],
  ['er', ['', 'e']],
  ['es', ['']],
  ['ly', ['']],
  ['s', ['']],
];
const endingsByLast = Map.groupBy(endings, ([ending]) => ending.charCodeAt(ending.length - 1));
const languageBits = Word.common | Word.english | Word.medical | Word.rare;

function lookUp(bits: ReadonlyMap<string, number>, word: string): number {
  const known = bits.get(word) ?? 0;
  return (known & languageBits) !== 0 ? known : known | inflected(bits, word);
}

/** Names have no inflections here: `Peters` is no plural of a name. */
function inflected(bits: ReadonlyMap<string, number>, word: string): number {
  const found = stemBits(bits, word, 3);
  if (found !== 0) return found;
  return hasMedicalEnding(word) ? Word.medical : hasLongEnding(word) ? Word.english : 0;
}

/** Bits of what the word is an inflection of, over at most so many endings: `numbers`, `number`, `numb`. */
function stemBits(bits: ReadonlyMap<string, number>, word: string, depth: number): number {
  for (const [ending, others] of endingsByLast.get(word.charCodeAt(word.length - 1)) ?? []) {
    if (!word.endsWith(ending) || word.length - ending.length < 4) continue;
    for (const other of others) {
      const stem = word.slice(0, -ending.length) + other;
      const found = (bits.get(stem) ?? 0) & languageBits || (depth > 1 ? stemBits(bits, stem, depth - 1) : 0);
      if (found !== 0) return found;
    }
  }
  return 0;
}

/** Endings that words of medicine have and names of people all but never: new drugs and rare diseases are in no list. */
const medicalEndings = byLast(
  'itis osis stasis neum emia aemia uria ectomy otomy ostomy plasty scopy graphy gram pathy algia plegia paresis oma omas penia megaly rrhea rrhoea rrhage trophy phagia phasia genesis genic lysis lytic mycin cillin cycline floxacin prazole sartan olol pril statin dipine azole vir mab nib tide gliptin gliflozin parin zepam azepam barbital caine cort sone solone afil triptan setron tropin kinase ase emic itic otic opic ology ologist ological iatric iatrics iatry therapy metry oid',
);
/** Endings of ordinary long words. */
const longEndings = byLast('able ation ative ization isation ment ness less tional active ivity ility ating');

export const hasMedicalEnding = (word: string): boolean => word.length >= 6 && endsIn(medicalEndings, word, 2);
const hasLongEnding = (word: string): boolean => word.length >= 9 && endsIn(longEndings, word, 3);

type EndingsByLast = ReadonlyMap<number, readonly string[]>;

function byLast(words: string): EndingsByLast {
  return Map.groupBy(words.split(' '), (ending) => ending.charCodeAt(ending.length - 1));
}

function endsIn(endings: EndingsByLast, word: string, least: number): boolean {
  return (endings.get(word.charCodeAt(word.length - 1)) ?? []).some((ending) => word.length >= ending.length + least && word.endsWith(ending));
}
