/** Owns the writing of short lists of words in the rules, by category too, and the keys of records that more than one rule reads. */
import type { Category } from './types.ts';

/** A set of the words of a text. */
export function set(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/** What a word can begin, so that rules look at those words alone. */
export const Cue = { street: 1, facility: 2, time: 4, label: 8, person: 16 } as const;

const cues = new Map<string, number>();

/** Of a word, together. */
export function cuesOf(word: string): number {
  return cues.get(word) ?? 0;
}

/** Says with which words a rule begins. */
export function setCue(cue: number, ...lists: readonly Iterable<string>[]): void {
  for (const words of lists) for (const word of words) cues.set(word, cuesOf(word) | cue);
}

/** Of tables that name words by category: the category by word. Of a word that stands twice, the last counts. */
export function categoryByWord(...tables: readonly Readonly<Partial<Record<Category, string>>>[]): ReadonlyMap<string, Category> {
  return new Map(
    tables.flatMap((table) => Object.entries(table).flatMap(([type, words]) => words.split(' ').map((word) => [word, type as Category] as const))),
  );
}

/** Keys of records, folded, that say what their value is: in whole objects of JSON and in pieces of them. */
export const recordKeys: Readonly<Partial<Record<Category, string>>> = {
  NAME: 'firstname lastname middlename surname maidenname fullname patientname givenname familyname',
  GEO: 'street streetaddress city county zip zipcode postalcode',
  DATE: 'dob dateofbirth birthdate',
};
