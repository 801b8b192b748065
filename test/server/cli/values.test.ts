/** What the options of administration stand for. */
import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { parser } from '../../../server/cli/options.ts';
import {
  beginWeek,
  claim,
  code,
  dayMs,
  end,
  formatTime,
  hostId,
  hours,
  ipAddress,
  keyId,
  listOf,
  models,
  moment,
  networks,
  personId,
  region,
  requestId,
  span,
  tokenCount,
  tokenLimit,
  week,
} from '../../../server/cli/values.ts';
import type { Kind } from '../../../server/config/kinds.ts';

const now = Date.parse('2026-11-25T23:00:00Z');

function expectRefused<T>(kind: Kind<T>, texts: readonly string[]): void {
  for (const text of texts) expect(() => parser(kind)(text), JSON.stringify(text)).toThrow(InvalidArgumentError);
}

describe('lists', () => {
  const fruit = listOf(['apple', 'pear', 'plum']);

  test.each([
    ['apple', ['apple']],
    ['plum,apple', ['plum', 'apple']],
    [' pear , plum ', ['pear', 'plum']],
  ])('"%s"', (text, expected) => expect(parser(fruit)(text)).toEqual(expected));

  test('unknown, twice, none', () => expectRefused(fruit, ['', ',', 'apple,', 'apple,,pear', 'apple,apple', 'Apple', 'apple;pear', 'cherry', 'apple pear']));

  test('models and networks', () => {
    expect(parser(models)('meta/llama-3.1:8b, qwen')).toEqual(['meta/llama-3.1:8b', 'qwen']);
    expectRefused(models, ['', 'a,a', 'two words', '-x', 'a'.repeat(121), Array.from({ length: 65 }, (_, index) => `m${index}`).join()]);
    expect(parser(networks)('10.1.0.0/16, 2001:db8::/32,192.168.1.7')).toEqual(['10.1.0.0/16', '2001:db8::/32', '192.168.1.7']);
    expectRefused(networks, ['', '10.1.0.0/33', '10.1/16', 'example.org', '10.1.0.0/16,', '10.1.0.0/16 10.2.0.0/16', '::1%eth0', '10.1.0.0/16,10.1.0.0/16']);
  });
});

describe('spans', () => {
  test.each([
    ['0m', 0],
    ['30m', 1_800_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['30d', 2_592_000_000],
  ])('%s', (text, expected) => expect(parser(span(30))(text)).toBe(expected));

  test('no unit, a fraction, a sign, too long', () =>
    expectRefused(span(30), ['', '7', 'd', '1.5h', '-1h', '+1h', '7 d', '7D', '7s', '31d', '721h', '99999999d', '1h30m']));
});

describe('the end of a grant', () => {
  test.each([
    ['90d', Date.parse('2027-02-23T23:00:00Z')],
    ['12h', Date.parse('2026-11-26T11:00:00Z')],
    ['365d', Date.parse('2027-11-25T23:00:00Z')],
    ['2027-01-31', Date.parse('2027-01-31T00:00:00Z')],
    ['2026-11-26', Date.parse('2026-11-26T00:00:00Z')],
    ['2027-11-25', Date.parse('2027-11-25T00:00:00Z')],
  ])('%s', (text, expected) => expect(parser(end(now, 365))(text)).toBe(expected));

  test('past, too far, or no day at all', () =>
    expectRefused(end(now, 365), [
      '',
      '0d',
      '366d',
      '8761h',
      '2026-11-25',
      '2025-01-01',
      '2027-11-26',
      '2027-02-30',
      '2027-02-29',
      '2027-13-01',
      '2027-1-31',
      '31.01.2027',
      'never',
      '2027-01-31T00:00:00Z',
    ]));

  test('29 February, where there is one', () =>
    expect(parser(end(Date.parse('2028-01-01T00:00:00Z'), 365))('2028-02-29')).toBe(Date.parse('2028-02-29T00:00:00Z')));
});

test('names and numbers', () => {
  expect(parser(code)('cardiology-2')).toBe('cardiology-2');
  expectRefused(code, ['', 'Cardiology', '2nd', 'a--b', 'a b', 'a'.repeat(41), 'dr. jones']);
  expect(parser(region)('de-by')).toBe('de-by');
  expectRefused(region, ['', 'DE', 'de_by', 'us-east-1-2-3-4-5']);
  expect(parser(personId)('m.jones')).toBe('m.jones');
  expectRefused(personId, ['', 'm', 'M.Jones', '.m', 'm jones', 'm@x', 'a'.repeat(49)]);
  expect(parser(keyId)('3f8k2m9x1c')).toBe('3f8k2m9x1c');
  expectRefused(keyId, ['', '3f8k2m9x1', '3f8k2m9x1cc', '3F8K2M9X1C', 'inw_phi_3f8k2m9x1c']);
  expect(parser(claim)('https://id.example.org/realms/a')).toBe('https://id.example.org/realms/a');
  expectRefused(claim, ['', 'two words', 'ü', 'a'.repeat(201)]);
  expect(parser(tokenCount)('1000000')).toBe(1_000_000);
  expectRefused(tokenCount, ['', '0', '-1', '1e6', '1.5', '1000000000001', 'none']);
  expect(parser(tokenLimit)('none')).toBe('none');
  expect(parser(tokenLimit)('7')).toBe(7);
  expectRefused(tokenLimit, ['', '0', 'None']);
  expect(parser(hours)('mon 07:00-19:00 UTC')).toEqual({ days: [1], from: '07:00', to: '19:00', timeZone: 'UTC' });
  expectRefused(hours, ['', 'always', 'mon 07:00-07:00 UTC']);
});

test('times for people', () => {
  expect(formatTime(now)).toBe('2026-11-25 23:00 UTC');
  expect(formatTime('2027-01-31T08:09:10.011Z')).toBe('2027-01-31 08:09 UTC');
  expect(formatTime(0)).toBe('1970-01-01 00:00 UTC');
  expect(formatTime(undefined)).toBe('-');
  expect(dayMs).toBe(24 * 60 * 60 * 1000);
});

describe('moments', () => {
  test.each([
    ['7d', '2026-11-18T23:00:00Z'],
    ['30m', '2026-11-25T22:30:00Z'],
    ['0h', '2026-11-25T23:00:00Z'],
    ['2026-11-24', '2026-11-24T00:00:00Z'],
    ['2026-11-24T08:30Z', '2026-11-24T08:30:00Z'],
    ['2026-11-24T08:30:15Z', '2026-11-24T08:30:15Z'],
    ['2026-11-24T08:30:15.250Z', '2026-11-24T08:30:15.250Z'],
    // Also one to come.
    ['2030-01-01', '2030-01-01T00:00:00Z'],
  ])('%s', (text, expected) => expect(parser(moment(now))(text)).toBe(Date.parse(expected)));

  test('no time, a day that does not exist, a time of no zone', () =>
    expectRefused(moment(now), [
      '',
      '7',
      '-7d',
      '2026-02-30',
      '2026-02-30T08:00Z',
      '2026-11-24T25:00Z',
      '2026-11-24T08:30',
      '2026-11-24T08:30+01:00',
      '1969-12-31',
      'yesterday',
    ]));
});

describe('weeks of ISO 8601', () => {
  // The examples of the standard's rule: a week belongs to the year of its Thursday.
  test.each([
    ['2026-W48', '2026-11-23'],
    ['2026-W01', '2025-12-29'],
    ['2026-W53', '2026-12-28'],
    ['2027-W01', '2027-01-04'],
    ['2021-W01', '2021-01-04'],
    ['2020-W53', '2020-12-28'],
  ])('%s', (text, expected) => expect(parser(week)(text)).toBe(Date.parse(expected)));

  test('a week that its year does not have, and other forms', () => expectRefused(week, ['2027-W53', '2026-W00', '2026-W54', '2026-48', 'W48', '2026-W4', '']));

  test.each([
    ['2026-11-23T00:00:00Z', '2026-11-23'],
    ['2026-11-29T23:59:59Z', '2026-11-23'],
    ['1970-01-05T00:00:00Z', '1970-01-05'],
  ])('the Monday of %s', (time, expected) => expect(beginWeek(Date.parse(time))).toBe(Date.parse(expected)));
});

test('ids of requests and hosts, and addresses', () => {
  expect(parser(requestId)('3f8a1c0d-9b72-4e11-8f5a-0c1d2e3f4a5b')).toBe('3f8a1c0d-9b72-4e11-8f5a-0c1d2e3f4a5b');
  expectRefused(requestId, ['', '3F8A1C0D-9b72-4e11-8f5a-0c1d2e3f4a5b', '3f8a1c0d9b724e118f5a0c1d2e3f4a5b', 'x']);
  expect(parser(hostId)('0123456789abcdef')).toBe('0123456789abcdef');
  expectRefused(hostId, ['', '0123456789ABCDEF', '0123456789abcde', 'host']);
  expect(parser(ipAddress)('10.1.2.3')).toBe('10.1.2.3');
  expect(parser(ipAddress)('2001:DB8::1')).toBe('2001:db8::1');
  expect(parser(ipAddress)('::ffff:10.1.2.3')).toBe('10.1.2.3');
  expectRefused(ipAddress, ['', '10.1.2', '10.1.0.0/16', 'example.org']);
});
