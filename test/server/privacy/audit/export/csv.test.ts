/** The trail as a table: a column for every field, every value back. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvColumns, exportCsv } from '../../../../../server/privacy/audit/export/csv.ts';
import { commonFields, eventTable } from '../../../../../server/privacy/audit/events.ts';
import { readCsv } from '../../read-csv.ts';
import { anyRecords, oneOfEach } from '../any-record.ts';

test('a column for each field of the closed list, once', () => {
  const fields = [...Object.keys(commonFields), ...Object.values(eventTable).flatMap((kinds) => Object.keys(kinds))];
  expect(new Set(csvColumns)).toEqual(new Set(['event', ...fields]));
  expect(csvColumns).toHaveLength(new Set(csvColumns).size);
  expect(csvColumns.slice(0, 3)).toEqual(['seq', 'time', 'event']);
});

test('every value comes back, times as ISO', () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      const [head = [], ...rows] = readCsv([...exportCsv([...records, ...oneOfEach])].join(''));
      expect(head).toEqual(csvColumns);
      expect(rows).toHaveLength(records.length + oneOfEach.length);
      for (const [index, record] of [...records, ...oneOfEach].entries()) {
        const row = rows[index] ?? [];
        expect(row).toHaveLength(head.length);
        const values = record as unknown as Readonly<Record<string, unknown>>;
        for (const [column, name] of head.entries()) {
          const value = values[name];
          const isTime = name === 'time' || name === 'at' || name === 'from';
          if (isTime && value !== undefined) expect(Date.parse(row[column] ?? '')).toBe(value);
          // A person's id may begin with a sign that a spreadsheet takes for a formula only behind a letter or digit: nothing is quoted.
          else expect(row[column]).toBe(value === undefined ? '' : String(value));
        }
      }
    }),
    { numRuns: 30 },
  );
});
