/** Owns the writing of short lists of words in the rules, by category too, and the keys of records that more than one rule reads. */
import type { Category } from './types.ts';

/** A set of the words of a text. */
export function set(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
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
