/** What a field of a record can be. */
import { expect, test } from 'vitest';
import { eventTable } from '../../../../server/privacy/audit/events.ts';
import { address, choice, count, flag, form, optional } from '../../../../server/privacy/audit/kinds.ts';
import { forms } from '../../../../server/privacy/words.ts';

test('a choice takes its names and nothing else', () => {
  const kind = choice(['torn', 'head']);
  for (const value of ['torn', 'head']) expect(kind.fits(value)).toBe(true);
  for (const value of ['', 'Torn', 'torn ', 'toString', ['torn'], 0, undefined]) expect(kind.fits(value)).toBe(false);
});

test('a count is a whole number from 0 to its most', () => {
  const kind = count(599, 'a status');
  for (const value of [0, 1, 599]) expect(kind.fits(value)).toBe(true);
  for (const value of [-1, 600, 1.5, '1', Number.NaN, Number.POSITIVE_INFINITY, 1n, null]) expect(kind.fits(value)).toBe(false);
  expect(count(Number.MAX_VALUE, 'any').fits(2 ** 53)).toBe(false);
});

test('a form takes a text of its pattern, no longer than its most', () => {
  const kind = form(/^[a-z]+$/, 3, 'letters');
  for (const value of ['a', 'abc']) expect(kind.fits(value)).toBe(true);
  for (const value of ['', 'abcd', 'ab\n', 'aB', ['abc'], 5]) expect(kind.fits(value)).toBe(false);
});

test('a flag is true or false', () => {
  for (const value of [true, false]) expect(flag.fits(value)).toBe(true);
  for (const value of [0, 1, 'true', undefined]) expect(flag.fits(value)).toBe(false);
});

test('what is optional takes the same values', () => {
  const kind = optional(count(1, 'a number'));
  expect([kind.isOptional, kind.fits(1), kind.fits(2)]).toEqual([true, true, false]);
});

test('an address is one of IPv4 or IPv6, without a zone, brackets or a name', () => {
  for (const value of ['10.0.0.1', '::1', '2001:db8::1', '::ffff:10.0.0.1']) expect(address.fits(value)).toBe(true);
  for (const value of ['', 'localhost', '10.0.0', '10.0.0.256', 'fe80::1%eth0', '[::1]', '2001:DB8::1', 'dead', 'dead.beef', 'a:b'])
    expect(address.fits(value)).toBe(false);
});

test('patterns of forms are held at both ends, have no flags that change between two calls, and no class that a sentence fits into', () => {
  for (const pattern of Object.values(forms)) {
    expect(pattern.source).toMatch(/^\^.*\$$/);
    expect(pattern.flags).not.toMatch(/[gmsy]/);
  }
  const kinds = Object.values(eventTable).flatMap((fields) => Object.values(fields));
  for (const kind of kinds)
    if (kind.type === 'form') expect([kind.fits('two words'), kind.fits('Two')]).toEqual([false, kind.what.startsWith('the name of a model')]);
});
