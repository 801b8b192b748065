/** Quotas of tokens, against a plain model of the rule. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Refusal } from '../../../server/privacy/errors.ts';
import { type Account, dayOf, Quotas } from '../../../server/privacy/quota.ts';
import { begin, day } from './agreed-site.ts';

const key = (limits: Account['limits']): Account => ({ scope: 'key', id: 'k', limits });
const tenant = (limits: Account['limits']): Account => ({ scope: 'tenant', id: 't', limits });

function refusalOf(work: () => unknown): Refusal {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

test('without limits nothing is refused, and everything is counted', () => {
  const quotas = new Quotas(begin);
  quotas.reserve([key({}), tenant({})], 1e9, begin).settle(700);
  expect(quotas.take()).toEqual([
    { scope: 'key', id: 'k', tokens: 700 },
    { scope: 'tenant', id: 't', tokens: 700 },
  ]);
  expect(quotas.take()).toEqual([]);
});

test('a day is used up, and the next one begins at midnight UTC', () => {
  const quotas = new Quotas(begin);
  const account = key({ tokensPerDay: 1000 });
  quotas.reserve([account], 600, begin).settle(600);
  const refusal = refusalOf(() => quotas.reserve([account], 401, begin));
  expect(refusal).toMatchObject({ code: 'quota_exceeded', fields: { scope: 'key', limit: 1000, period: 'day', waitMs: 12 * 3_600_000 } });
  quotas.reserve([account], 400, begin).settle(400);
  refusalOf(() => quotas.reserve([account], 1, begin + 12 * 3_600_000 - 1));
  quotas.reserve([account], 1000, begin + 12 * 3_600_000);
});

test('what is reserved counts until it is settled, and what was not used comes back', () => {
  const quotas = new Quotas(begin);
  const account = key({ tokensPerDay: 1000 });
  const first = quotas.reserve([account], 900, begin);
  refusalOf(() => quotas.reserve([account], 200, begin));
  first.settle(100);
  first.settle(100);
  quotas.reserve([account], 900, begin);
  refusalOf(() => quotas.reserve([account], 1, begin));
});

test('a minute fills evenly', () => {
  const quotas = new Quotas(begin);
  const account = key({ tokensPerMinute: 600 });
  quotas.reserve([account], 600, begin).settle(600);
  expect(refusalOf(() => quotas.reserve([account], 10, begin)).fields.waitMs).toBe(1000);
  refusalOf(() => quotas.reserve([account], 10, begin + 999));
  quotas.reserve([account], 10, begin + 1000);
});

test('a request that is larger than a minute runs when the minute is unused, and leaves a debt', () => {
  const quotas = new Quotas(begin);
  const account = key({ tokensPerMinute: 100 });
  quotas.reserve([account], 300, begin).settle(300);
  expect(refusalOf(() => quotas.reserve([account], 1, begin)).fields.waitMs).toBe(201 * 600);
  quotas.reserve([account], 1, begin + 201 * 600);
});

test('the tenant is refused although the key could, and the key has lost nothing then', () => {
  const quotas = new Quotas(begin);
  const accounts = [key({ tokensPerDay: 1000 }), tenant({ tokensPerDay: 500 })];
  expect(refusalOf(() => quotas.reserve(accounts, 600, begin)).fields).toMatchObject({ scope: 'tenant', limit: 500 });
  quotas.reserve([key({ tokensPerDay: 1000 })], 1000, begin);
});

test('what the store knows of the day counts', () => {
  const quotas = new Quotas(begin, [{ scope: 'key', id: 'k', tokens: 950 }]);
  refusalOf(() => quotas.reserve([key({ tokensPerDay: 1000 })], 51, begin));
  quotas.reserve([key({ tokensPerDay: 1000 })], 50, begin);
});

test('in any order of requests, a day never holds more than its limit, and nothing that fits is refused', () => {
  const request = fc.record({ tokens: fc.integer({ min: 1, max: 400 }), used: fc.double({ min: 0, max: 1, noNaN: true }), later: fc.nat(day / 3) });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 40 }), (requests) => {
      const limit = 1000;
      const quotas = new Quotas(begin);
      let now = begin;
      let used = new Map<number, number>();
      for (const { tokens, used: part, later } of requests) {
        now += later;
        const spent = used.get(dayOf(now)) ?? 0;
        const fits = spent + tokens <= limit;
        if (!fits) {
          refusalOf(() => quotas.reserve([key({ tokensPerDay: limit })], tokens, now));
          continue;
        }
        const count = Math.floor(tokens * part);
        quotas.reserve([key({ tokensPerDay: limit })], tokens, now).settle(count);
        used = new Map([[dayOf(now), spent + count]]);
      }
    }),
    { numRuns: 300, seed: 2 },
  );
});

test('what was used while there was no limit is no debt when there is one', () => {
  const quotas = new Quotas(begin);
  quotas.reserve([tenant({ tokensPerMinute: 1000 })], 1, begin).settle(1);
  for (let i = 0; i < 100; i++) quotas.reserve([tenant({})], 1e6, begin).settle(1e6);
  quotas.reserve([tenant({ tokensPerMinute: 1000 })], 1, begin + 60_000);
});

test('what runs over midnight counts on the day on which it ends, here as in the store', () => {
  const quotas = new Quotas(begin);
  const account = key({ tokensPerDay: 100 });
  const late = quotas.reserve([account], 100, begin);
  quotas.reserve([account], 0, begin + day).settle(0);
  late.settle(60);
  expect([quotas.day, quotas.take()]).toEqual([dayOf(begin) + 1, [{ scope: 'key', id: 'k', tokens: 60 }]]);
  refusalOf(() => quotas.reserve([account], 41, begin + day));
  quotas.reserve([account], 40, begin + day);
});

test('what is left is that of the nearest limit, and says when all of it is there again', () => {
  const quotas = new Quotas(begin);
  const accounts = [key({ tokensPerMinute: 600, tokensPerDay: 1000 }), tenant({ tokensPerDay: 5000 })];
  expect(quotas.read([key({}), tenant({})], begin)).toBeUndefined();
  expect(quotas.read(accounts, begin)).toEqual({ limit: 600, remaining: 600, resetMs: 0 });
  const first = quotas.reserve(accounts, 300, begin);
  expect(quotas.read(accounts, begin)).toEqual({ limit: 600, remaining: 300, resetMs: 30_000 });
  first.settle(450);
  // 450 of 600 were used; 10 a second come back. Of the day 550 are left, which is less than a full minute.
  expect(quotas.read(accounts, begin)).toEqual({ limit: 600, remaining: 150, resetMs: 45_000 });
  expect(quotas.read(accounts, begin + 45_000)).toEqual({ limit: 1000, remaining: 550, resetMs: 12 * 3_600_000 - 45_000 });
  expect(quotas.read(accounts, begin + day)).toEqual({ limit: 600, remaining: 600, resetMs: 0 });
});
