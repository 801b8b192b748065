/** Tables for spreadsheets. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCsv } from '../../../server/privacy/csv.ts';
import { readCsv } from './read-csv.ts';

test('headings and rows', () => {
  expect(
    formatCsv(
      ['a', 'b'],
      [
        ['1', 'two words'],
        ['', 'x;y'],
      ],
    ),
  ).toBe('a,b\r\n1,two words\r\n,x;y\r\n');
});

test('commas, quotes and line ends stand between quotes', () => {
  expect(formatCsv(['a'], [['x,y'], ['say "hi"'], ['two\nlines'], [' blank']])).toBe('a\r\n"x,y"\r\n"say ""hi"""\r\n"two\nlines"\r\n" blank"\r\n');
});

test.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
  [' =1', "' =1"],
  ['\t=1', "'\t=1"],
  ['\tx', "'\tx"],
  ['\r=1', `"'\r=1"`],
  ['a=1', 'a=1'],
  ['2027-01-31', '2027-01-31'],
])('%j is no formula', (cell, expected) => expect(formatCsv(['a'], [[cell]])).toBe(`a\r\n${expected}\r\n`));

test('every cell comes back, and none that a spreadsheet would run', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '=', '+', '-', '@', ',', '"', '\r', '\n', '\t', ' ', "'") });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
      const [, ...read] = readCsv(formatCsv(['a', 'b'], rows));
      expect(read).toHaveLength(rows.length);
      for (const [index, row] of rows.entries())
        for (const [column, text] of row.entries()) {
          const found = read[index]?.[column] ?? '';
          expect([text, `'${text}`]).toContain(found);
          expect(found.trimStart()[0] ?? '').not.toMatch(/[=+\-@]/);
        }
    }),
    { seed: 7, numRuns: 500 },
  );
});
