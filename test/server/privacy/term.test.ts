/** How agreements stand at a moment, alone and one after the other. */
import { expect, test } from 'vitest';
import type { Agreement } from '../../../server/privacy/agreement.ts';
import { agreementStates, daysLeft, findWarning, listTerms, stateOf, warningDays } from '../../../server/privacy/term.ts';
import { dayMs, selfOperated, stored, wrap } from './records.ts';

const [begin, end] = [Date.UTC(2026, 10, 24), Date.UTC(2027, 10, 24)];
const unrevoked = stored(wrap(selfOperated));

test('states: both edges, to the millisecond', () => {
  const at = (now: number): string => stateOf(selfOperated, unrevoked, now);
  expect([at(begin - 1), at(begin), at(end - 1), at(end)]).toEqual(['not-begun', 'in-force', 'in-force', 'expired']);
});

test('an evergreen one is expired when its day of review has passed', () => {
  const { expires: _, ...rest } = selfOperated;
  const evergreen: Agreement = { ...rest, review: '2027-03-01' };
  expect(stateOf(evergreen, unrevoked, Date.UTC(2027, 2, 2) - 1)).toBe('in-force');
  expect(stateOf(evergreen, unrevoked, Date.UTC(2027, 2, 2))).toBe('expired');
});

test('revoked is revoked, at every time', () => {
  const revoked = stored(wrap(selfOperated), begin + 5);
  for (const now of [begin - 1, begin, begin + 4, begin + 6, end + 1]) expect(stateOf(selfOperated, revoked, now)).toBe('revoked');
});

test('a time that is no number is never in force', () => {
  expect(stateOf(selfOperated, unrevoked, Number.NaN)).not.toBe('in-force');
});

test('days left: a begun day counts, none after the end', () => {
  const at = (now: number): number => daysLeft(selfOperated, now);
  expect([at(end - 30 * dayMs), at(end - 30 * dayMs + 1), at(end - dayMs - 1), at(end - dayMs), at(end - 1), at(end), at(end + dayMs)]).toEqual([
    30, 30, 2, 1, 1, 0, 0,
  ]);
});

test('warnings from 30, 14, 7 and 1 days on', () => {
  expect(warningDays).toEqual([30, 14, 7, 1]);
  expect([31, 30, 15, 14, 8, 7, 2, 1, 0].map(findWarning)).toEqual([undefined, 30, 30, 14, 14, 7, 7, 1, 1]);
});

const next = { ...selfOperated, id: 'agr-00000008', supersedes: selfOperated.id, effective: '2027-05-01T00:00:00Z', expires: '2028-05-01T00:00:00Z' };
const nextBegin = Date.UTC(2027, 4, 1);
function firstOf(...records: Parameters<typeof listTerms>[0]): { end: number; at(now: number): string } {
  const [first] = listTerms(records);
  if (first === undefined) throw new Error('there is none');
  return { end: first.end, at: (now) => stateOf(first.agreement, first.stored, now, first.end) };
}

test('one that is superseded ends where the next one begins', () => {
  const first = firstOf(unrevoked, stored(wrap(next)));
  expect(first.end).toBe(nextBegin);
  expect([first.at(nextBegin - 1), first.at(nextBegin), first.at(end)]).toEqual(['in-force', 'superseded', 'superseded']);
  // One that begins after the end changes nothing.
  const late = firstOf(unrevoked, stored(wrap({ ...next, effective: '2028-01-01T00:00:00Z' })));
  expect([late.end, late.at(end)]).toEqual([end, 'expired']);
  // Nor does one that supersedes another.
  expect(firstOf(unrevoked, stored(wrap({ ...next, supersedes: 'agr-77777777' }))).end).toBe(end);
});

test('revoking the next one brings the first back only if that one never began', () => {
  expect(firstOf(unrevoked, stored(wrap(next), nextBegin - 1)).end).toBe(end);
  expect(firstOf(unrevoked, stored(wrap(next), nextBegin)).end).toBe(nextBegin);
  expect(firstOf(unrevoked, stored(wrap(next), nextBegin + dayMs)).end).toBe(nextBegin);
});

test('the earliest of several next ones counts', () => {
  const other = { ...next, id: 'agr-00000007', effective: '2027-03-01T00:00:00Z' };
  expect(firstOf(unrevoked, stored(wrap(next)), stored(wrap(other))).end).toBe(Date.UTC(2027, 2, 1));
});

test('a record that cannot be read ends everything', () => {
  expect(() => listTerms([unrevoked, stored(wrap({ ...next, regions: [] }))])).toThrow('the field "regions"');
});

test('the states are a closed list', () => {
  expect(agreementStates).toEqual(['not-begun', 'in-force', 'superseded', 'expired', 'revoked']);
});
