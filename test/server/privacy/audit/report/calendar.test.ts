/** Days and hours by the clock on the wall. */
import { expect, test } from 'vitest';
import { createCalendar, listDates } from '../../../../../server/privacy/audit/report/calendar.ts';

// By the rules of the zones: Chicago is six hours behind UTC in winter and five in summer, Kathmandu 5:45 ahead.
test.each([
  ['UTC', '2026-11-26T14:59:59.999Z', '2026-11-26', 3, 14],
  ['UTC', '2026-11-30T00:00:00Z', '2026-11-30', 0, 0],
  ['America/Chicago', '2026-11-26T05:59:59Z', '2026-11-25', 2, 23],
  ['America/Chicago', '2026-07-26T05:00:00Z', '2026-07-26', 6, 0],
  ['Asia/Kathmandu', '2026-11-26T18:14:59Z', '2026-11-26', 3, 23],
  ['Asia/Kathmandu', '2026-11-26T18:15:00Z', '2026-11-27', 4, 0],
])('%s at %s', (zone, time, date, weekday, hour) => expect(createCalendar(zone)(Date.parse(time))).toEqual({ date, weekday, hour }));

test('a quarter of an hour that is asked for again, and very many of them', () => {
  const calendar = createCalendar('UTC');
  for (let quarter = 0; quarter < 13_000; quarter++) calendar(quarter * 900_000);
  expect(calendar(0)).toEqual({ date: '1970-01-01', weekday: 3, hour: 0 });
});

test('dates of a period, also over the change of the clock', () => {
  const dates = (zone: string, from: string, to: string): string[] => listDates(createCalendar(zone), Date.parse(from), Date.parse(to));
  expect(dates('UTC', '2026-11-23T00:00Z', '2026-11-25T00:00Z')).toEqual(['2026-11-23', '2026-11-24']);
  expect(dates('UTC', '2026-11-23T23:00Z', '2026-11-24T00:00:00.001Z')).toEqual(['2026-11-23', '2026-11-24']);
  // In Chicago clocks are put back on 2026-11-01.
  expect(dates('America/Chicago', '2026-10-31T05:00Z', '2026-11-03T06:00Z')).toEqual(['2026-10-31', '2026-11-01', '2026-11-02']);
  expect(dates('UTC', '2026-11-23T00:00Z', '2026-11-23T00:00Z')).toEqual([]);
});
