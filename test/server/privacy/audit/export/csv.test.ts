/** The trail as a table: a column for every field, every value back. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commonFields, eventTable } from '../../../../../server/privacy/audit/events.ts';
import { csvColumns, exportCsv } from '../../../../../server/privacy/audit/export/csv.ts';
import { readCsv } from '../../read-csv.ts';
import { anyRecords, oneOfEach } from '../any-record.ts';

test('a column for each field of the closed list, once', () => {
  const fields = [...Object.keys(commonFields), ...Object.values(eventTable).flatMap((kinds) => Object.keys(kinds))];
  expect(new Set(csvColumns)).toEqual(new Set(['event', ...fields]));
  expect(csvColumns).toHaveLength(new Set(csvColumns).size);
  expect(csvColumns.slice(0, 3)).toEqual(['seq', 'time', 'event']);
});

/** Hashes in base64 may begin with a plus, ids of tokens with a minus: an apostrophe keeps a spreadsheet from running them. */
function expectCell(name: string, value: string | number | undefined): string {
  if (value === undefined) return '';
  if (name === 'time' || name === 'at' || name === 'from') return new Date(value).toISOString();
  return /^[+-]/.test(String(value)) ? `'${value}` : String(value);
}

test('every value comes back, times as ISO', () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      const [head = [], ...rows] = readCsv([...exportCsv([...records, ...oneOfEach])].join(''));
      expect(head).toEqual(csvColumns);
      expect(rows).toHaveLength(records.length + oneOfEach.length);
      for (const [index, record] of [...records, ...oneOfEach].entries()) {
        const values = record as unknown as Readonly<Record<string, string | number | undefined>>;
        expect(rows[index]).toEqual(head.map((name) => expectCell(name, values[name])));
      }
    }),
    { numRuns: 30 },
  );
});
