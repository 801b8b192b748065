/** How names are read. */
import { expect, test } from 'vitest';
import { readName, withoutPossessive } from '../../../../../server/privacy/deid/actions/name.ts';

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

test.each([
  ["Smith's", 'Smith'],
  ['SMITH’S', 'SMITH'],
  ["O'Brien", "O'Brien"],
  ['James', 'James'],
])('the genitive is no part of a name, an apostrophe is: %s', (name, rest) => {
  const { start, end } = withoutPossessive(`seen ${name}`, { start: 5, end: 5 + name.length, type: 'NAME' });
  expect(`seen ${name}`.slice(start, end)).toBe(rest);
});
