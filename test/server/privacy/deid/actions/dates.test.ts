/** Forms of dates; expectations by the calendar (Date of another implementation, the system's `date`, and by hand). */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DateStyle, readDate, shiftDate } from '../../../../../server/privacy/deid/actions/dates.ts';

const english: DateStyle = { isDayFirst: false, year: 2026 };
const spanish: DateStyle = { isDayFirst: true, year: 2026 };

function shift(text: string, days: number, style = english): string | undefined {
  const date = readDate(text, style);
  return date === undefined ? undefined : shiftDate(date, days, style);
}

// 2024 is a leap year: 28 February and 2 days is 1 March.
test.each([
  ['2024-02-28', '2024-03-01'],
  ['02/28/2024', '03/01/2024'],
  ['2/28/2024', '3/1/2024'],
  ['2/28/24', '3/1/24'],
  ['02-28-2024', '03-01-2024'],
  ['28.02.2024', '01.03.2024'],
  ['20240228', '20240301'],
  ['20240228093000', '20240301093000'],
  ['20240228093000.123+0500', '20240301093000.123+0500'],
  ['2024-02-28T09:32:00Z', '2024-03-01T09:32:00Z'],
  ['02/28/2024 9:32 PM', '03/01/2024 9:32 PM'],
  ['February 28, 2024', 'March 1, 2024'],
  ['Feb 28, 2024', 'Mar 1, 2024'],
  ['FEB 28 2024', 'MAR 1 2024'],
  ['28-Feb-2024', '1-Mar-2024'],
  ['28 february 2024', '1 march 2024'],
  ['February 28th, 2024', 'March 1st, 2024'],
  ['the 28th of February 2024', 'the 1st of March 2024'],
  ['Wednesday, February 28, 2024', 'Friday, March 1, 2024'],
  ['Wed 02/28/2024', 'Fri 03/01/2024'],
  ['Wednesday', 'Friday'],
  ['Dec 31st 2023', 'Jan 2nd 2024'],
])('%s two days later is %s', (text, later) => expect(shift(text, 2)).toBe(later));

test.each([
  ['28 de febrero de 2024', '1 de marzo de 2024'],
  ['28/02/2024', '01/03/2024'],
  ['miércoles 28 de febrero de 2024', 'viernes 1 de marzo de 2024'],
  ['03/04/2024', '05/04/2024'],
])('%s two days later is %s in Spanish', (text, later) => expect(shift(text, 2, spanish)).toBe(later));

test('a day that is not in the month, a month that is none, and words are no date', () => {
  for (const text of ['02/30/2024', '2023-02-29', '13/45/2024', '2024-13-01', 'POD 3', 'last week', '1/2/3/4', '12345', 'x'.repeat(100)])
    expect(readDate(text, english)).toBeUndefined();
});

test('a month with a year has no day to count from', () => {
  expect(shift('March 2024', 40)).toBeUndefined();
  expect(shift('2024-03', 40)).toBeUndefined();
});

test('any date by any number of days is what Date says, and comes back', () => {
  const day = fc.date({ min: new Date('1990-01-01'), max: new Date('2030-12-31'), noInvalidDate: true });
  fc.assert(
    fc.property(day, fc.integer({ min: -400, max: 400 }), (date, days) => {
      const text = date.toISOString().slice(0, 10);
      const later = new Date(`${text}T00:00:00Z`);
      later.setUTCDate(later.getUTCDate() + days);
      const shifted = shift(text, days) ?? '';
      expect(shifted).toBe(later.toISOString().slice(0, 10));
      expect(shift(shifted, -days)).toBe(text);
    }),
  );
});

test('weekdays in words agree with Intl', () => {
  const long = new Intl.DateTimeFormat('en-US', { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric', timeZone: 'UTC' });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: -400, max: 400 }), (start, days) => {
      const at = (day: number): string => long.format(new Date(day * 86_400_000));
      expect(shift(at(start), days)).toBe(at(start + days));
    }),
  );
});
