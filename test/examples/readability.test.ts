/** The measure of the recipe for messages to patients, by its published formula and syllables counted by hand. */
import { expect, test } from 'vitest';
import { countSyllables, measureGrade } from '../../examples/clinical/readability.ts';

test.each(
  Object.entries({
    ...{ cat: 1, sugar: 2, blood: 1, pressure: 2, medicine: 3, temperature: 4, doctor: 2, exercise: 3, weight: 1, needles: 2 },
    // An e at the end, silent or not.
    ...{
      the: 1,
      dose: 1,
      made: 1,
      table: 2,
      little: 2,
      agree: 2,
      coffee: 2,
      called: 1,
      tired: 1,
      wanted: 2,
      needed: 2,
      makes: 1,
      doses: 2,
      changes: 2,
      people: 2,
    },
  }),
)('syllables of %s', (word, count) => {
  expect(countSyllables(word)).toBe(count);
  expect(countSyllables(word.toUpperCase())).toBe(count);
});

test('the grade is 0.39 words a sentence + 11.8 syllables a word - 15.59', () => {
  // 6 words, 6 syllables, 1 sentence.
  expect(measureGrade('The cat sat on the mat.')).toBeCloseTo(0.39 * 6 + 11.8 - 15.59, 10);
  // 8 words, 11 syllables, 2 sentences; the number is no word, and 6.1 ends no sentence that has none.
  expect(measureGrade('Your blood sugar is high.\nWalk every day!')).toBeCloseTo(0.39 * 4 + 11.8 * (11 / 8) - 15.59, 10);
  expect(measureGrade('')).toBe(0);
  expect(measureGrade('6.1 %')).toBe(0);
});
