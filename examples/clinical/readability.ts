/**
 * Owns how hard a text is to read: the Flesch-Kincaid grade (Kincaid and others, Derivation of new readability formulas, 1975), for English. Refuses
 * to be exact: syllables are counted by spelling.
 */

/** The school grade that a text asks for, below 0 for the very easiest; 0 for a text without words. */
export function measureGrade(text: string): number {
  const words = text.match(/[a-z]+(?:'[a-z]+)*/gi) ?? [];
  if (words.length === 0) return 0;
  const sentences = Math.max(1, (text.match(/[^.!?\n]*[a-z][^.!?\n]*/gi) ?? []).length);
  const syllables = words.reduce((sum, word) => sum + countSyllables(word), 0);
  return 0.39 * (words.length / sentences) + 11.8 * (syllables / words.length) - 15.59;
}

/** Ends whose e is not heard, as in dose, called, makes; it is heard in tables, wanted, doses, agree. */
const silentEnd = /(?:(?<=[^aeiouy])(?<![^aeiouy]l)e|(?<=[^aeiouytd])ed|(?<=[^aeiouysxzcgh])(?<![^aeiouy]l)es)$/;

/** Runs of vowels: one too few where two vowels in a row are two syllables, as in diabetes. */
export function countSyllables(word: string): number {
  return Math.max(
    1,
    (
      word
        .toLowerCase()
        .replace(silentEnd, '')
        .match(/[aeiouy]+/g) ?? []
    ).length,
  );
}
