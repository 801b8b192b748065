/** Hours of a key: clock on the wall, nights, changes of the clock in both directions, text forms. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hours } from '../../../server/privacy/grants.ts';
import { formatHours, isWithin, parseHours } from '../../../server/privacy/hours.ts';

const hours = (text: string): Hours => {
  const parsed = parseHours(text);
  if (parsed === undefined) throw new Error(`no hours: ${text}`);
  return parsed;
};
const at = (text: string): number => Date.parse(text);

describe('within', () => {
  const office = hours('mon-fri 07:00-19:00 America/Chicago');

  // In January Chicago is six hours behind UTC, in July five. 2027-01-04 is a Monday.
  test.each([
    ['Monday, one minute before', '2027-01-04T12:59:59.999Z', false],
    ['Monday, the first moment', '2027-01-04T13:00:00Z', true],
    ['Monday, the last minute', '2027-01-05T00:59:59.999Z', true],
    ['Monday, the end, which does not count', '2027-01-05T01:00:00Z', false],
    ['Friday evening, Saturday in UTC', '2027-01-09T00:30:00Z', true],
    ['Saturday noon', '2027-01-09T18:00:00Z', false],
    ['Sunday evening, Monday in UTC', '2027-01-11T00:30:00Z', false],
    ['in summer the first moment is an hour earlier in UTC', '2027-07-05T12:00:00Z', true],
    ['in summer, one minute before', '2027-07-05T11:59:00Z', false],
  ])('%s', (_, time, expected) => expect(isWithin(office, at(time))).toBe(expected));

  test.each([
    ['begins on its day', '2027-01-04T22:00:00Z', true],
    ['goes on after midnight', '2027-01-05T05:59:59Z', true],
    ['ends in the morning', '2027-01-05T06:00:00Z', false],
    ['the night before its first day is another one', '2027-01-04T03:00:00Z', false],
    ['runs into a day that is not named', '2027-01-09T03:00:00Z', true],
    ['and ends there', '2027-01-09T22:30:00Z', false],
    ['noon', '2027-01-05T12:00:00Z', false],
  ])('a night of mon-fri 22:00-06:00: %s', (_, time, expected) => expect(isWithin(hours('mon-fri 22:00-06:00 UTC'), at(time))).toBe(expected));

  test('the night of Sunday runs into Monday', () => {
    expect(isWithin(hours('sun 22:00-06:00 UTC'), at('2027-01-04T05:00:00Z'))).toBe(true);
    expect(isWithin(hours('sun 22:00-06:00 UTC'), at('2027-01-03T05:00:00Z'))).toBe(false);
  });

  // On 2027-03-14 the clocks of Chicago go from 02:00 CST (08:00 UTC) to 03:00 CDT.
  test.each([
    ['01:59 before', 'sun 01:00-02:30', '2027-03-14T07:59:00Z', true],
    ['03:00 comes next, so that 02:30 has passed', 'sun 01:00-02:30', '2027-03-14T08:00:00Z', false],
    ['a part inside the hour that is left out never is', 'sun 02:00-03:00', '2027-03-14T08:00:00Z', false],
    ['nor before', 'sun 02:00-03:00', '2027-03-14T07:59:59Z', false],
    ['a part that begins in it begins at 03:00', 'sun 02:30-04:00', '2027-03-14T08:00:00Z', true],
    ['the night over the change is an hour shorter', 'sat 22:00-06:00', '2027-03-14T10:59:00Z', true],
    ['and over', 'sat 22:00-06:00', '2027-03-14T11:00:00Z', false],
  ])('clocks put forward: %s', (_, text, time, expected) => expect(isWithin(hours(`${text} America/Chicago`), at(time))).toBe(expected));

  // On 2027-11-07 they go from 02:00 CDT (07:00 UTC) back to 01:00 CST.
  test.each([
    ['01:30 the first time', 'sun 01:00-02:00', '2027-11-07T06:30:00Z', true],
    ['01:30 the second time', 'sun 01:00-02:00', '2027-11-07T07:30:00Z', true],
    ['02:00 comes once', 'sun 01:00-02:00', '2027-11-07T08:00:00Z', false],
    ['what ends at 01:30 has two ends', 'sun 00:00-01:30', '2027-11-07T06:45:00Z', false],
    ['and begins again', 'sun 00:00-01:30', '2027-11-07T07:15:00Z', true],
    ['the night over the change is an hour longer', 'sat 22:00-06:00', '2027-11-07T11:59:00Z', true],
    ['and over', 'sat 22:00-06:00', '2027-11-07T12:00:00Z', false],
  ])('clocks put back: %s', (_, text, time, expected) => expect(isWithin(hours(`${text} America/Chicago`), at(time))).toBe(expected));

  test('the end of the day, and zones with odd offsets', () => {
    expect(isWithin(hours('mon 00:00-24:00 UTC'), at('2027-01-04T23:59:59.999Z'))).toBe(true);
    expect(isWithin(hours('mon 00:00-24:00 UTC'), at('2027-01-05T00:00:00Z'))).toBe(false);
    // 18:15 UTC is 00:00 in Kathmandu, five hours and 45 minutes ahead.
    expect(isWithin(hours('tue 00:00-01:00 Asia/Kathmandu'), at('2027-01-04T18:15:00Z'))).toBe(true);
    expect(isWithin(hours('tue 00:00-01:00 Asia/Kathmandu'), at('2027-01-04T18:14:59Z'))).toBe(false);
  });

  test('of equal times nothing is admitted', () => {
    const odd: Hours = { days: [1, 2, 3, 4, 5, 6, 7], from: '07:00', to: '07:00', timeZone: 'UTC' };
    for (const time of ['2027-01-04T06:59:00Z', '2027-01-04T07:00:00Z', '2027-01-04T12:00:00Z']) expect(isWithin(odd, at(time))).toBe(false);
  });

  test('in UTC it is what arithmetic says, for every minute of random weeks', () => {
    const minutes = fc.integer({ min: 0, max: 24 * 60 - 1 });
    const clock = (minute: number): string => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        minutes,
        minutes,
        fc.integer({ min: 0, max: 4e9 }),
        (days, from, to, seconds) => {
          const now = seconds * 1000;
          const minute = Math.floor(seconds / 60) % 1440;
          // The epoch began on a Thursday.
          const day = ((Math.floor(seconds / 86_400) + 3) % 7) + 1;
          const begins = from < to ? minute >= from && minute < to && days.includes(day) : minute >= from && days.includes(day);
          const goesOn = from > to && minute < to && days.includes(((day + 5) % 7) + 1);
          const expected = from !== to && (begins || goesOn);
          expect(isWithin({ days, from: clock(from), to: clock(to), timeZone: 'UTC' }, now)).toBe(expected);
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe('text', () => {
  test.each([
    ['mon-fri 07:00-19:00 America/Chicago', [1, 2, 3, 4, 5], '07:00', '19:00', 'America/Chicago'],
    ['mon,wed,fri 00:00-24:00 UTC', [1, 3, 5], '00:00', '24:00', 'UTC'],
    ['sat-sun,wed 22:00-06:00 Europe/Berlin', [3, 6, 7], '22:00', '06:00', 'Europe/Berlin'],
    ['fri-mon 08:00-09:00 UTC', [1, 5, 6, 7], '08:00', '09:00', 'UTC'],
    ['Mon,mon-tue 08:00-09:00 america/new_york', [1, 2], '08:00', '09:00', 'America/New_York'],
    ['sun 08:00-09:00 UTC', [7], '08:00', '09:00', 'UTC'],
  ])('%s', (text, days, from, to, timeZone) => expect(parseHours(text)).toEqual({ days, from, to, timeZone }));

  test.each([
    '',
    'mon-fri',
    'mon-fri 07:00-19:00',
    '07:00-19:00 UTC',
    'mon-fri 7:00-19:00 UTC',
    'mon-fri 07:00-24:01 UTC',
    'mon-fri 24:00-07:00 UTC',
    'mon-fri 07:00-07:00 UTC',
    'mon-fri 07:60-19:00 UTC',
    'mon-wed-fri 07:00-19:00 UTC',
    'mon- 07:00-19:00 UTC',
    'mon,,tue 07:00-19:00 UTC',
    'moon 07:00-19:00 UTC',
    'mon-fri 07:00-19:00 Mars/Olympus',
    'mon-fri 07:00-19:00 UTC and more',
    'mon-fri 07:00 - 19:00 UTC',
    `mon-fri 07:00-19:00 ${'x'.repeat(5000)}`,
  ])('"%s" stands for none', (text) => expect(parseHours(text)).toBeUndefined());

  test('what is written is read again as the same', () => {
    for (const text of ['mon-fri 07:00-19:00 America/Chicago', 'mon,tue 07:00-19:00 UTC', 'mon,wed-fri,sun 22:00-06:00 UTC', 'fri-mon 07:00-19:00 UTC'])
      expect(parseHours(formatHours(hours(text)))).toEqual(hours(text));
    expect(formatHours(hours('mon,tue,wed 07:00-19:00 UTC'))).toBe('mon-wed 07:00-19:00 UTC');
    expect(formatHours(hours('sat,sun 07:00-19:00 UTC'))).toBe('sat,sun 07:00-19:00 UTC');
  });
});
