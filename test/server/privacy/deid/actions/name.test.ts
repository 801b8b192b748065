/** How names are read. */
import { expect, test } from 'vitest';
import { possessiveLength, readName } from '../../../../../server/privacy/deid/actions/name.ts';

const kindsOf = (text: string): string =>
  readName(text)
    .flatMap(({ text: part, kind }) => (kind === 'other' ? [] : [`${part}:${kind}`]))
    .join(' ');

test.each([
  ['John Smith', 'John:given Smith:family'],
  ['SMITH, JOHN A', 'SMITH:family JOHN:given A:initial'],
  ['Dr. J. R. Smith, MD', 'J:initial R:initial Smith:family'],
  ['Mrs. Smith', 'Smith:family'],
  ["Siobhán O'Brien-Ng", "Siobhán:given O'Brien-Ng:family"],
  ['María de la Cruz García', 'María:given Cruz:given García:family'],
  ['Smith', 'Smith:family'],
])('%s', (text, kinds) => {
  expect(kindsOf(text)).toBe(kinds);
  expect(
    readName(text)
      .map((part) => part.text)
      .join(''),
  ).toBe(text);
});

test('the genitive is no part of a name, an apostrophe is', () => {
  expect(possessiveLength("Smith's")).toBe(2);
  expect(possessiveLength('SMITH’S')).toBe(2);
  expect(possessiveLength("O'Brien")).toBe(0);
  expect(possessiveLength('James')).toBe(0);
});
