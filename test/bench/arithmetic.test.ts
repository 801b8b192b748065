import { expect, test } from 'vitest';
import { compareRounds, measureSpeed, summarize } from '../../bench/arithmetic.ts';

test('one sequence: prefill ends with the first token, which decoding does not count', () => {
  // 128 tokens in 500 ms are 256 a second; three more tokens in 60 ms are 50 a second.
  expect(measureSpeed({ sequences: 1, promptTokens: 128, newTokens: 4 }, [[500, 520, 540, 560]])).toEqual({
    firstTokenMs: 500,
    prefillPerSecond: 256,
    decodePerSecond: 50,
  });
});

test('a batch: decoding is measured only while every sequence decodes', () => {
  // All have begun at 200 ms, the first ends at 300 ms; between them come 300 | 250, 300 and not 350 or 400: 3 tokens in 100 ms.
  const speed = measureSpeed({ sequences: 2, promptTokens: 50, newTokens: 3 }, [
    [100, 150, 300],
    [200, 250, 300, 350, 400],
  ]);
  expect(speed).toEqual({ firstTokenMs: 200, prefillPerSecond: 500, decodePerSecond: 30 });
});

test('sequences that never decode at the same time have no common speed', () => {
  const speed = measureSpeed({ sequences: 2, promptTokens: 1, newTokens: 2 }, [
    [10, 20],
    [30, 40],
  ]);
  expect(speed.decodePerSecond).toBe(0);
});

test('medians of odd, even and single counts, in any order', () => {
  expect(summarize([9, 1, 4])).toEqual({ median: 4, min: 1, max: 9 });
  expect(summarize([8, 1, 2, 4])).toEqual({ median: 3, min: 1, max: 8 });
  expect(summarize([10, 9])).toEqual({ median: 9.5, min: 9, max: 10 });
  expect(summarize([7])).toEqual({ median: 7, min: 7, max: 7 });
});

test('a ratio is taken in each round: a disturbance of both sides does not show', () => {
  // The second round ran at half speed for both. Ratio of the medians: 40 / 10 = 4; in each round: 4, 5, 4.
  expect(compareRounds([40, 25, 48], [10, 5, 12])).toEqual({ median: 4, min: 4, max: 5 });
  expect(() => compareRounds([1, 2], [1])).toThrow(RangeError);
});
