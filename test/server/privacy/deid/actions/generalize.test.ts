/** Safe Harbor's general forms: 45 CFR 164.514(b)(2)(i)(B) and (C), and the guidance's list of 17 prefixes. */
import { expect, test } from 'vitest';
import { generalize } from '../../../../../server/privacy/deid/actions/generalize.ts';
import { sparseZip3 } from '../../../../../server/privacy/deid/data/zip3.ts';

const style = { isDayFirst: false, year: 2026 };

test('the table has the 17 prefixes of the 2000 Census; a copy without 890 goes around', () => {
  expect([...sparseZip3.prefixes].join(' ')).toBe('036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893');
});

test.each([
  ['02139', '021'],
  ['02139-4307', '021'],
  ['03601', '000'],
  ['89049', '000'],
  ['Cambridge', undefined],
  ['1021391', undefined],
])('the ZIP code %s becomes %s', (zip, general) => expect(generalize('GEO', zip, style)).toBe(general));

test.each([
  ['90', '90+'],
  ['93-year-old', '90+-year-old'],
  ['101 years', '90+ years'],
  ['89', undefined],
  ['89-year-old', undefined],
])('the age %s becomes %s', (age, general) => expect(generalize('DATE', age, style)).toBe(general));

test.each([
  ['03/14/2024', '2024'],
  ['March 14, 2024', '2024'],
  ['20240314', '20240101'],
  ['3/14', undefined],
  // Who was born in 1936 may be 90 in 2026, and no date may tell an age over 89.
  ['1936-05-01', '1936 or earlier'],
  ['1920-05-01', '1936 or earlier'],
  ['1937-05-01', '1937'],
])('the date %s becomes %s', (date, general) => expect(generalize('DATE', date, style)).toBe(general));

test('what is general stays as it is, and other categories have no general form', () => {
  for (const text of ['021', '000']) expect(generalize('GEO', text, style)).toBe(text);
  for (const text of ['1936 or earlier', '90+', '90+-year-old']) expect(generalize('DATE', text, style)).toBe(text);
  expect(generalize('NAME', 'Smith', style)).toBeUndefined();
});
