/** Sums of buckets hold what was put into them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toBucket } from '../../../../../server/privacy/audit/events.ts';
import { TokenSum } from '../../../../../server/privacy/audit/incident/tokens.ts';

test('the real sum lies within, and each single bound is reached', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200_000)), fc.nat(3), (numbers, unknown) => {
      const sum = new TokenSum();
      for (const number of numbers) sum.add(toBucket(number));
      for (let index = 0; index < unknown; index++) sum.add(undefined);
      const real = numbers.reduce((all, number) => all + number, 0);
      expect(sum.bounds.atLeast).toBeLessThanOrEqual(real);
      expect(sum.bounds.atMost).toBeGreaterThanOrEqual(real);
      expect(sum.bounds.unknown).toBe(unknown);
    }),
  );
});

/** All numbers up to 1,024: the bounds are the smallest and the largest one of the same bucket. */
test('no bound is wider than it must be', () => {
  const groups = Map.groupBy(
    Array.from({ length: 1025 }, (_, number) => number),
    toBucket,
  );
  for (const [bucket, numbers] of groups) {
    const sum = new TokenSum();
    sum.add(bucket);
    expect(sum.bounds).toEqual({ atLeast: Math.min(...numbers), atMost: Math.max(...numbers), unknown: 0 });
  }
});
