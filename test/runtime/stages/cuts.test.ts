/** Where a model is cut: of all ways that are allowed, one whose largest stage is as small as can be. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseCuts } from '../../../runtime/stages/cuts.ts';

const anywhere = (): boolean => true;

/** Every way to cut [start, length) into `count` runs. */
function* allCuts(start: number, length: number, count: number): Generator<{ start: number; end: number }[]> {
  if (count === 1) yield [{ start, end: length }];
  else for (let end = start + 1; end <= length - count + 1; end++) for (const rest of allCuts(end, length, count - 1)) yield [{ start, end }, ...rest];
}

test('equal layers are shared out equally, and a heavy end gets fewer of them', () => {
  expect(chooseCuts([1, 1, 1, 1], 2, anywhere)).toEqual([
    { start: 0, end: 2 },
    { start: 2, end: 4 },
  ]);
  expect(chooseCuts([1, 1, 1, 1, 1, 4], 3, anywhere)?.at(-1)).toEqual({ start: 5, end: 6 });
});

test('no way of cutting has a smaller largest stage, and forbidden places stay whole', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ size: fc.integer({ min: 0, max: 20 }), canCut: fc.boolean() }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 5 }),
      (layers, count) => {
        const sizes = layers.map(({ size }) => size);
        const largest = (ranges: readonly { start: number; end: number }[]): number =>
          Math.max(...ranges.map(({ start, end }) => sizes.slice(start, end).reduce((sum, size) => sum + size, 0)));
        const allowed = [...allCuts(0, layers.length, count)].filter((ranges) => ranges.every(({ start }) => start === 0 || layers[start]?.canCut));
        const found = chooseCuts(sizes, count, (layer) => layers[layer]?.canCut ?? false);
        if (allowed.length === 0) expect(found).toBeUndefined();
        else {
          expect(allowed).toContainEqual(found);
          expect(largest(found ?? [])).toBe(Math.min(...allowed.map(largest)));
        }
      },
    ),
  );
});
