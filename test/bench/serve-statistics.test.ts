import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type IsolationSamples, judgeIsolation } from '../../bench/serve/inside.ts';
import type { Outcome } from '../../bench/serve/run.ts';
import { compareRanks, describeSamples, quantile } from '../../bench/serve/statistics.ts';
import { firstTokenTime, summarizeLoad, tokenGaps } from '../../bench/serve/summary.ts';
import { isTargetMet } from '../../bench/serve/targets.ts';

/** Without -0, which no comparison tells from 0. */
const numbers = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value + 0);

describe('quantiles', () => {
  test('between two ranks, type 7 of Hyndman and Fan: worked by hand', () => {
    expect([0, 0.25, 0.5, 0.75, 1].map((fraction) => quantile([1, 2, 3, 5], fraction))).toEqual([1, 1.75, 2.5, 3.5, 5]);
    expect(quantile([7], 0.99)).toBe(7);
    // Of 0 to 100, p99 is 99.
    expect(
      quantile(
        Array.from({ length: 101 }, (_, index) => index),
        0.99,
      ),
    ).toBeCloseTo(99, 10);
  });

  test('never outside of the samples, never falling, whatever their order', () => {
    fc.assert(
      fc.property(fc.array(numbers, { minLength: 1, maxLength: 40 }), (samples) => {
        const found = describeSamples(samples);
        const curve = found?.curve ?? [];
        expect(curve).toHaveLength(101);
        expect(curve[0]).toBe(Math.min(...samples));
        expect(found?.max).toBe(Math.max(...samples));
        for (const [index, value] of curve.slice(1).entries()) expect(value).toBeGreaterThanOrEqual(curve[index] ?? Number.NaN);
        expect([found?.p50, found?.p95, found?.p99]).toEqual([curve[50], curve[95], curve[99]]);
        expect(describeSamples(samples.toReversed())).toEqual(found);
      }),
      { numRuns: 1000 },
    );
  });

  test('no samples give nothing, and what is no number is refused', () => {
    expect(describeSamples([])).toBeUndefined();
    expect(() => describeSamples([1, Number.NaN])).toThrow(RangeError);
  });
});

/** Values without ties of two samples of these sizes whose U is `u`: the first `u` steps of the second sample's way through the first. */
function samplesWithU(m: number, n: number, u: number): [number[], number[]] {
  // a[i] is above as many b as are needed to add up to u.
  const b = Array.from({ length: n }, (_, index) => index + 1);
  let left = u;
  const a = Array.from({ length: m }, (_, index) => {
    const above = Math.min(n, left);
    left -= above;
    // Between b[above - 1] and b[above]; later ones a little lower, so that no two are equal.
    return above + 0.5 - index / (10 * m);
  });
  return [a, b];
}

/** The two-sided p by every way to deal the values out. */
function enumerateP(a: readonly number[], b: readonly number[]): number {
  const all = [...a, ...b];
  const uOf = (x: readonly number[], y: readonly number[]): number =>
    x.flatMap((v) => y.map((w): number => (v > w ? 1 : v === w ? 0.5 : 0))).reduce((p, q) => p + q, 0);
  const distance = (u: number): number => Math.abs(u - (a.length * b.length) / 2);
  const found = distance(uOf(a, b));
  let [ways, extreme] = [0, 0];
  for (let mask = 0; mask < 2 ** all.length; mask++) {
    const first = all.filter((_, index) => (mask >> index) & 1);
    if (first.length !== a.length) continue;
    ways++;
    const second = all.filter((_, index) => !((mask >> index) & 1));
    if (distance(uOf(first, second)) >= found - 1e-9) extreme++;
  }
  return extreme / ways;
}

describe('the test of Mann and Whitney', () => {
  test('U of the tortoises and hares: T H H H H H T T T T T H, 25 and 11', () => {
    const order = 'THHHHHTTTTTH';
    // Who comes in first has the highest rank.
    const ranks = (who: string): number[] => [...order].flatMap((runner, index) => (runner === who ? [order.length - index] : []));
    expect(compareRanks(ranks('T'), ranks('H')).u).toBe(11);
    expect(compareRanks(ranks('H'), ranks('T')).u).toBe(25);
  });

  /** Largest U that is significant, two-sided: the tables of textbooks, e.g. Siegel (1956), table K. */
  test.for([
    [5, 5, 0.05, 2],
    [6, 6, 0.05, 5],
    [7, 7, 0.05, 8],
    [8, 8, 0.05, 13],
    [10, 10, 0.05, 23],
    [12, 12, 0.05, 37],
    [20, 20, 0.05, 127],
    [5, 10, 0.05, 8],
    [8, 8, 0.01, 7],
    [10, 10, 0.01, 16],
    [20, 20, 0.01, 105],
  ] as const)('sizes %i and %i, two-sided %f: U of %i is significant, one more is not', ([m, n, alpha, critical]) => {
    for (const [u, isSignificant] of [
      [critical, true],
      [critical + 1, false],
    ] as const) {
      const [a, b] = samplesWithU(m, n, u);
      const found = compareRanks(a, b);
      expect(found.u).toBe(u);
      expect(found.p <= alpha).toBe(isSignificant);
      expect(compareRanks(b, a).p).toBeCloseTo(found.p, 12);
    }
  });

  test('without ties: the p of every way to deal the values out', () => {
    const samples = fc
      .uniqueArray(fc.integer(), { minLength: 2, maxLength: 9 })
      .chain((all) => fc.tuple(fc.constant(all), fc.integer({ min: 1, max: all.length - 1 })));
    fc.assert(
      fc.property(samples, ([all, cut]) => {
        const [a, b] = [all.slice(0, cut), all.slice(cut)];
        expect(compareRanks(a, b).p).toBeCloseTo(enumerateP(a, b), 10);
      }),
      { numRuns: 60 },
    );
  });

  test('with ties: near to the p of every way to deal them out; samples of one value tell nothing', () => {
    for (const [a, b] of [
      [
        [1, 2, 2, 3, 4, 4],
        [2, 3, 5, 5, 6, 7],
      ],
      [
        [1, 1, 1, 2, 2, 3],
        [3, 3, 4, 4, 5, 5],
      ],
      [
        [1, 2, 3, 4, 5, 6],
        [1, 2, 3, 4, 5, 6],
      ],
    ] as const)
      expect(Math.abs(compareRanks(a, b).p - enumerateP(a, b))).toBeLessThan(0.02);
    expect(compareRanks([2, 2, 2], [2, 2])).toEqual({ u: 3, p: 1 });
  });

  test('an empty sample and what is no number are refused', () => {
    expect(() => compareRanks([], [1])).toThrow(RangeError);
    expect(() => compareRanks([1], [Number.POSITIVE_INFINITY])).toThrow(RangeError);
  });
});

describe('the verdict on isolation', () => {
  const around = (center: number): number[] => Array.from({ length: 9 }, (_, index) => center + 7 * Math.sin(index + center));
  const judge = (samples: Partial<IsolationSamples>) => judgeIsolation({ cold: around(1000), other: around(1000.5), own: around(50), ...samples });

  test('another tenant as slow as a cold prompt, the tenant itself faster: shown', () => {
    const { p, controlP } = judge({});
    expect(p).toBeGreaterThan(0.1);
    // All of nine below all of nine: 2 of C(18, 9) = 48,620 orders.
    expect(controlP).toBeCloseTo(2 / 48_620, 10);
  });

  test('another tenant as fast as the tenant itself: a leak', () => {
    expect(judge({ other: around(60) }).p).toBeCloseTo(2 / 48_620, 10);
  });

  test('a tenant that gains nothing itself: nothing is shown', () => {
    expect(judge({ own: around(1001) }).p).toBeUndefined();
  });
});

/** Times since an intended time of 1000 ms; an arrival is its time and its tokens. */
function createOutcome(arrivals: readonly (readonly [at: number, count: number])[], more: Partial<Outcome> = {}): Outcome {
  return {
    kind: 'k',
    intendedAt: 1000,
    sentAt: 1000,
    endedAt: 1000 + (arrivals.at(-1)?.[0] ?? 0),
    promptTokens: 10,
    completionTokens: arrivals.reduce((sum, [, count]) => sum + count, 0),
    arrivals: arrivals.map(([at, count]) => ({ at: 1000 + at, count })),
    status: 200,
    ...more,
  };
}

describe('the summary of a load', () => {
  test('tokens that come together share the time; the first ones belong to the first token', () => {
    const outcome = createOutcome([
      [100, 2],
      [110, 1],
      [140, 3],
    ]);
    expect(firstTokenTime(outcome)).toBe(100);
    expect(tokenGaps(outcome)).toEqual([10, 10, 10, 10]);
    expect(firstTokenTime(createOutcome([]))).toBeUndefined();
    expect(tokenGaps(createOutcome([[5, 1]]))).toEqual([]);
  });

  test('time to the first token counts from the intended time, also where it was sent late', () => {
    const late = createOutcome([[500, 1]], { sentAt: 1400 });
    const { ttft, lag, endToEnd } = summarizeLoad('late', [late]);
    expect([ttft?.p50, lag?.max, endToEnd?.p50]).toEqual([500, 400, 500]);
  });

  test('tokens a second from the first intended time to the last end; failed ones count in no time', () => {
    const good = createOutcome([
      [100, 1],
      [200, 1],
    ]);
    const failed = createOutcome([[50, 1]], { failure: 'cut off', intendedAt: 2000, endedAt: 5000 });
    const busy = createOutcome([], { failure: 'status 429', status: 429, endedAt: 1001 });
    const summary = summarizeLoad('some', [good, failed, { ...busy, retryAfterSeconds: 4 }, busy]);
    expect(summary).toMatchObject({ requests: 4, complete: 1, promptTokens: 10, completionTokens: 2, durationMs: 4000, tokensPerSecond: 0.5 });
    expect(summary.failures).toEqual({ 'cut off': 1, 'status 429': 2 });
    expect([summary.ttft?.count, summary.itl?.count, summary.endToEnd?.count, summary.lag?.count]).toEqual([1, 1, 1, 4]);
    expect(summary.retryAfterSeconds).toEqual({ median: 4, min: 4, max: 4 });
    expect(summarizeLoad('good', [good]).retryAfterSeconds).toBeNull();
    expect(summary.goodput).toBeNull();
  });

  test('goodput: both limits kept, at the limit too, of all requests', () => {
    const requests = [
      createOutcome([
        [100, 1],
        [150, 1],
        [160, 1],
      ]),
      createOutcome([
        [101, 1],
        [110, 1],
      ]),
      createOutcome([
        [50, 1],
        [111, 1],
      ]),
      createOutcome([[90, 1]]),
      createOutcome([[10, 1]], { failure: 'timeout' }),
      createOutcome([]),
    ];
    // The mean of 50 and 10 ms is 30; one token has no gap.
    const { goodput } = summarizeLoad('all', requests, { ttftMs: 100, itlMs: 30 });
    expect(goodput?.good).toBe(2);
    expect(goodput?.share).toBeCloseTo(2 / 6, 12);
    // From 1000 to 1160 ms.
    expect(goodput?.perSecond).toBeCloseTo(2 / 0.16, 9);
  });
});

test('targets: the median decides, the limit itself is met, what was not found is not judged', () => {
  const at = (median: number) => ({ median, min: 0, max: 1e9 });
  expect([isTargetMet('streams', at(3)), isTargetMet('streams', at(2.99))]).toEqual([true, false]);
  expect([isTargetMet('prefix', at(0.25)), isTargetMet('prefix', at(0.26))]).toEqual([true, false]);
  expect([isTargetMet('host', at(10)), isTargetMet('mixed', at(3.1)), isTargetMet('queued', at(0.9))]).toEqual([true, false, true]);
  expect([isTargetMet('isolation', at(0.5)), isTargetMet('isolation', at(0.001)), isTargetMet('isolation', null)]).toEqual([true, false, null]);
});
