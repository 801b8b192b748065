/** Sets of spans against sets of signs. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeSpans, subtractRanges, trimSpans } from '../../../../server/privacy/deid/spans.ts';

const range = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 })).map(([start, length]) => ({ start, end: start + length }));
const signsOf = (spans: readonly { readonly start: number; readonly end: number }[]): Set<number> =>
  new Set(spans.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, index) => start + index)));

test('merged spans are sorted, apart, and have the same signs', () => {
  fc.assert(
    fc.property(fc.array(range), (spans) => {
      const merged = mergeSpans(spans);
      expect(signsOf(merged)).toEqual(new Set([...signsOf(spans)].sort((a, b) => a - b)));
      for (const [index, span] of merged.entries()) expect(span.start).toBeGreaterThanOrEqual(merged[index - 1]?.end ?? 0);
    }),
  );
});

test('subtracting leaves the signs that are not in the ranges', () => {
  fc.assert(
    fc.property(fc.array(range), fc.array(range), (spans, ranges) => {
      const left = subtractRanges(mergeSpans(spans), mergeSpans(ranges));
      expect(signsOf(left)).toEqual(new Set([...signsOf(spans)].filter((sign) => !signsOf(ranges).has(sign))));
    }),
  );
});

test('spans lose the space at their ends, and take both halves of a pair', () => {
  expect(trimSpans(' ab  ', [{ start: 0, end: 4 }])).toEqual([{ start: 1, end: 3 }]);
  expect(trimSpans('   ', [{ start: 0, end: 3 }])).toEqual([]);
  expect(trimSpans('a😀😀b', [{ start: 2, end: 4 }])).toEqual([{ start: 1, end: 5 }]);
});
