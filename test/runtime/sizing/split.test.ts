/** The cut of layers into stages against every cut that there is. */
import { expect, test } from 'vitest';
import { splitLayers } from '../../../runtime/sizing/split.ts';

/** Every way to cut `length` layers into `count` stages, as first layers. */
function* everyCut(length: number, count: number, from = 0): Generator<number[]> {
  if (count === 1) yield [from];
  else for (let next = from + 1; next <= length - count + 1; next++) for (const rest of everyCut(length, count - 1, next)) yield [from, ...rest];
}

function largest(sizes: readonly number[], starts: readonly number[], first: number, last: number): number {
  const stages = starts.map((start, i) => sizes.slice(start, starts[i + 1]).reduce((sum, size) => sum + size, 0));
  stages[0] = (stages[0] ?? 0) + first;
  stages[stages.length - 1] = (stages.at(-1) ?? 0) + last;
  return Math.max(...stages);
}

test('no cut has a smaller largest stage', () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 200; round++) {
    const sizes = Array.from({ length: 1 + random(9) }, () => random(100));
    const count = 1 + random(sizes.length);
    const [first, last] = [random(200), random(200)];
    const cuts = [...everyCut(sizes.length, count)];
    const starts = splitLayers(sizes, count, first, last);
    expect(cuts).toContainEqual(starts);
    expect(largest(sizes, starts, first, last)).toBe(Math.min(...cuts.map((cut) => largest(sizes, cut, first, last))));
  }
});

test('only where it is allowed; none where there are too few such places', () => {
  const only = (...places: number[]) => [0, 0, (layer: number) => places.includes(layer)] as const;
  expect(splitLayers([1, 1, 1, 1, 9], 2, ...only(1, 2))).toEqual([0, 2]);
  expect(splitLayers([1, 1, 1, 1, 9], 3, ...only(1, 2))).toEqual([0, 1, 2]);
  expect(splitLayers([1, 1, 1, 1, 9], 4, ...only(1, 2))).toEqual([]);
  expect(splitLayers([1, 1], 3)).toEqual([]);
  expect(splitLayers([], 1)).toEqual([]);
});

test('of equal cuts the one with early stages fuller', () => {
  expect(splitLayers([1, 1, 1, 1, 1], 2)).toEqual([0, 3]);
  expect(splitLayers([5], 1, 2, 3)).toEqual([0]);
});
