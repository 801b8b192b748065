/** Dates in figures and words, ages of 90 and over; years, younger ages, fractions and schedules stay. */
import { describe, expect, test } from 'vitest';
import { find, findType } from './find.ts';

describe('found', () => {
  test.each([
    ['03/14/2021', '03/14/2021'],
    ['14.03.2021', '14.03.2021'],
    ['2021-03-14', '2021-03-14'],
    ['2021-03-14T09:30:00Z', '2021-03-14T09:30:00Z'],
    ['on 2021-03-14 09:30:12 it', '2021-03-14 09:30:12'],
    ['PID 20210314 F', '20210314'],
    ['on 3/14/21,', '3/14/21'],
    ['03 / 14 / 2021', '03 / 14 / 2021'],
    ['since 03/2021', '03/2021'],
    ['seen on 4/12 for', '4/12'],
    ['March 14th, 2021', 'March 14th, 2021'],
    ['14 March 2021', '14 March 2021'],
    ['the 3rd of May', '3rd of May'],
    ['14-Mar-2021', '14-Mar-2021'],
    ["Jan 20th '23", "Jan 20th '23"],
    ['since March 2021', 'March 2021'],
    ['in February', 'February'],
    ['seen last Thursday by', 'last Thursday'],
    ['Tuesday morning', 'Tuesday'],
    ['el 14 de marzo de 2021', '14 de marzo de 2021'],
    ['14/03/2021', '14/03/2021'],
  ])('%s', (text, expected) => expect(findType(text, 'DATE')).toEqual([expected]));

  test.each(['92-year-old woman', '90 yo', 'age 101', 'Age: 94 years', '104 y/o M', 'aged 95', 'edad: 93 años'])('age: %s', (text) =>
    expect(findType(text, 'DATE')).toHaveLength(1),
  );

  // In 2026 who was born in 1936 or before is or becomes 90.
  test.each([
    ['born in 1934', 1],
    ['born 1936', 1],
    ['b. 1931', 1],
    ['born 1937', 0],
    ['born in 1958', 0],
  ])('%s', (text, count) => expect(findType(text, 'DATE')).toHaveLength(count));
});

describe('left', () => {
  test.each([
    'diagnosed in 2019, CABG (2005), appendectomy 1935',
    '89-year-old man, 45 yo, age 89, 18 months old',
    'BP 130/85, pain 5/10, strength 4/5, GCS 14/15, vision 20/40',
    'may march on, it may be, in sections',
    'visits Monday, Wednesday, Friday; 3x/week; POD 3',
    'at 10:30 AM, q8h, 1/2 tablet, ratio 3.5',
    'bilirubin 91, weight 95 kg, HR 92, 95 % on air, 96 patients',
  ])('%s', (text) => expect(find(text)).toEqual([]));
});
