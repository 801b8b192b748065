/** The way back of answers, in every cut. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Mapping } from '../../../../../server/privacy/deid/mapping/mapping.ts';
import { createRestorer, type RestoreOptions, restore } from '../../../../../server/privacy/deid/restore/restorer.ts';

const mapping = new Mapping();
mapping.record('NAME', 'John Smith', '[NAME-1]');
mapping.record('NAME', 'Jones', '[NAME-2]');
mapping.record('NAME', 'Ana Q', '[NAME-12]');
mapping.record('NAME', 'Mary Wong', 'Edwina Pemberton');
mapping.recordWord('Wong', 'Pemberton');
mapping.record('NAME', 'WONG', 'PEMBERTON');
mapping.recordWord('Jones', 'Osterberg');
mapping.record('DATE', '3/14/2024', '5/2/2024');
mapping.record('DATE', '3/14', '5/2');
mapping.record('PHONE', '617-253-1000', '205-555-0142');
mapping.record('GEO', '5 "Old" Road\nBoston', '[GEO-1]');
mapping.record('GEO', '42.47', '[GEO-2]');
mapping.recordAlso('42.47', '"[GEO-2]"');

test.each([
  ['Seen [NAME-1] today.', 'Seen John Smith today.'],
  ['[name-1] and [NAME-12], [NAME-3]', 'John Smith and Ana Q, [NAME-3]'],
  ["[NAME-1]'s chart, [NAME-2]'s", "John Smith's chart, Jones's"],
  ['NAME-1 said; NAME-10 and name-1 did not', 'John Smith said; NAME-10 and name-1 did not'],
  ['Edwina Pemberton', 'Mary Wong'],
  ['EDWINA PEMBERTON, Pemberton, pemberton', 'MARY WONG, Wong, Wong'],
  ["Pemberton's wife; the Pembertons; Pembertonian", "Wong's wife; the Wongs; Pembertonian"],
  ['The Osterbergs came', 'The Joneses came'],
  ['PEMBERTON', 'WONG'],
  ['on 5/2/2024, on 5/2, on 5/2/2025, 15/2', 'on 3/14/2024, on 3/14, on 5/2/2025, 15/2'],
  ['call 205-555-0142.', 'call 617-253-1000.'],
  ['1-205-555-0142, 205-555-01420, 205-555-0142-9', '1-205-555-0142, 205-555-01420, 205-555-0142-9'],
  ['lat "[GEO-2]" or [GEO-2]', 'lat 42.47 or 42.47'],
  ['[NAME-', '[NAME-'],
  ['[[NAME-1]]', '[John Smith]'],
])('%s', (answer, restored) => expect(restore(answer, mapping)).toBe(restored));

/** A text in pieces at the given places. */
function restoreCut(text: string, cuts: readonly number[], options: RestoreOptions = {}): string {
  const restorer = createRestorer(mapping, options);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1)), text.length])].sort((a, b) => a - b);
  return places.map((place, index) => restorer.push(text.slice(places[index - 1] ?? 0, place))).join('') + restorer.end();
}

const signs = [
  '[NAME-1]',
  '[NAME-1',
  'NAME-1',
  '[name-12]',
  'Pemberton',
  'PEMBERTON',
  'Edwina',
  's',
  "'s",
  ' ',
  '.',
  '5/2',
  '/2024',
  '-',
  '1',
  '205-555-0142',
  '"',
  '[GEO-1]',
  '"[GEO-2]"',
  '\\n',
  '\\u0041',
  'é',
  '😀',
  '{"a":',
  ',',
  'x',
];
const pieces = fc.constantFrom(...signs);

for (const format of ['text', 'json'] as const)
  test(`${format}: however it is cut, the answer is the same`, () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), fc.array(fc.nat(400), { maxLength: 60 }), (parts, cuts) => {
        const text = parts.join('');
        expect(restoreCut(text, cuts, { format })).toBe(restore(text, mapping, { format }));
      }),
      { numRuns: 1000 },
    );
  });

test('it holds back no more than what may still become a text of the mapping', () => {
  const restorer = createRestorer(mapping);
  expect(restorer.push('Hello [NA')).toBe('Hello ');
  expect(restorer.push('VY]')).toBe('[NAVY]');
  expect(restorer.push('[NAME-1')).toBe('');
  // A tag is over with its bracket.
  expect(restorer.push(']')).toBe('John Smith');
  expect(restorer.push(' Pember')).toBe(' ');
  expect(restorer.push('ton')).toBe('');
  expect(restorer.push(' ')).toBe('Wong ');
  expect(restorer.end()).toBe('');
});

test('within JSON a value is escaped, and the syntax stays', () => {
  const text = '{"who":"[NAME-1]","where":"at [GEO-1]","\\u0041\\n[NAME-2]":["Pemberton"],"lat":"[GEO-2]","n":5,"x":[5/2]}';
  expect(restore(text, mapping, { format: 'json' })).toBe(
    '{"who":"John Smith","where":"at 5 \\"Old\\" Road\\nBoston","\\u0041\\n[NAME-2]":["Wong"],"lat":42.47,"n":5,"x":[5/2]}'.replace('\\n[NAME-2]', '\\nJones'),
  );
});

test('any JSON of strings with tags in it stays JSON, with the values where the tags were', () => {
  const value = fc
    .array(fc.constantFrom(...signs.filter((sign) => !/\\|name|pember|geo|205|5\/2/i.test(sign))), { maxLength: 5 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value), { maxLength: 5 }), (pairs) => {
      const data = pairs.map(([before, behind]) => ({ [`${before} `]: `${before} [GEO-1] ${behind}` }));
      const expected = pairs.map(([before, behind]) => ({ [`${before} `]: `${before} 5 "Old" Road\nBoston ${behind}` }));
      expect(JSON.parse(restore(JSON.stringify(data), mapping, { format: 'json' }))).toEqual(expected);
    }),
  );
});

test('a mapping that has ended puts nothing back', () => {
  const short = new Mapping();
  short.record('NAME', 'Smith', '[NAME-1]');
  const restorer = createRestorer(short);
  expect(restorer.push('[NAME-1]')).toBe('Smith');
  short[Symbol.dispose]();
  expect(restorer.push(' [NAME-1]') + restorer.end()).toBe(' [NAME-1]');
});

test('a hundred thousand tokens against a thousand tags take less than 0.1 ms each', () => {
  const large = new Mapping();
  for (let index = 1; index <= 1000; index += 1) large.record('NAME', `Value ${index}`, `[NAME-${index}]`);
  const restorer = createRestorer(large);
  const tokens = ['[NA', 'ME', '-', '12', ']', ' was', ' seen', '.', ' [', '[NAME'];
  const begin = performance.now();
  for (let index = 0; index < 100_000; index += 1) restorer.push(tokens[index % tokens.length] as string);
  expect((performance.now() - begin) / 100_000).toBeLessThan(0.1);
});
