/** Guesses: what followed the last occurrence of the last three tokens, and nothing else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Drafts, ForeseenDrafts } from '../../../runtime/scheduling/drafts.ts';

/** The same by search, without a table: behind the last earlier place of the gram that ends the text. */
function search(ids: readonly number[], most: number, room: number): number[] | undefined {
  const text = [...ids];
  for (let end = text.length - 1; end >= 3; end--) {
    if (![1, 2, 3].every((back) => text[end - back] === text[text.length - back])) continue;
    for (let i = 0; i < Math.min(most, room); i++) text.push(text[end + i] ?? Number.NaN);
    return text.slice(ids.length);
  }
  return undefined;
}

/** A text of so many tokens, in an array with room for `room` more. */
function arrayOf(ids: readonly number[], room: number): Uint32Array {
  const array = new Uint32Array(ids.length + room);
  array.set(ids);
  return array;
}

test('what followed the last occurrence, which may be what was just guessed', () => {
  const text = [1, 2, 3, 4, 5, 1, 2, 3, 6, 7, 8, 1, 2, 3];
  const ids = arrayOf(text, 5);
  expect(new Drafts(ids).guess(text.length, 3)).toBe(3);
  expect([...ids.slice(text.length)]).toEqual([6, 7, 8, 0, 0]);
  const loop = arrayOf([9, 9, 9, 9], 4);
  expect(new Drafts(loop).guess(4, 4)).toBe(4);
  expect([...loop]).toEqual([9, 9, 9, 9, 9, 9, 9, 9]);
});

test('nothing for grams that have not been there, for texts too short, or without room', () => {
  for (const text of [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4, 2, 3], [0, 0, 0]]) {
    const ids = arrayOf(text, 4);
    expect(new Drafts(ids).guess(text.length, 4)).toBe(0);
    expect([...ids.slice(text.length)]).toEqual([0, 0, 0, 0]);
  }
  expect(new Drafts(Uint32Array.of(1, 1, 1, 1)).guess(4, 4)).toBe(0);
  expect(new Drafts(arrayOf([1, 1, 1, 1], 3)).guess(4, 0)).toBe(0);
});

/**
 * A table of `2 n` places for n tokens of which most are grams seen once: entries overwrite each other. A guess may then be missing,
 * never wrong; as long as no two grams of the text meet, none is missing.
 */
test('as a text grows: a guess is what a search finds, or none where the table has lost the place', () => {
  let [found, lost] = [0, 0];
  fc.assert(
    fc.property(fc.array(fc.nat(5), { minLength: 200, maxLength: 400 }), fc.nat(4), fc.nat(3), (text, most, room) => {
      const ids = new Uint32Array(text.length + room);
      const drafts = new Drafts(ids);
      for (let length = 0; length < text.length; ) {
        ids[length] = text[length] ?? 0;
        length++;
        const before = ids.slice(0, length);
        const expected = search(text.slice(0, length), most, ids.length - length);
        const count = drafts.guess(length, most);
        expect(ids.slice(0, length)).toEqual(before);
        if (count > 0) {
          expect([...ids.slice(length, length + count)]).toEqual(expected);
          found++;
        } else if (expected !== undefined && expected.length > 0) lost++;
        ids.fill(0, length);
      }
    }),
    { numRuns: 100 },
  );
  expect(found).toBeGreaterThan(1000);
  // Grams meet in the table now and then; else the property would say nothing about it. But most are found.
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThan(found / 5);
});

test('zero() leaves nothing to guess from', () => {
  const ids = arrayOf([1, 2, 3, 4, 1, 2, 3], 3);
  const drafts = new Drafts(ids);
  expect(drafts.guess(7, 1)).toBe(1);
  drafts.zero();
  ids[7] = 0;
  expect(drafts.guess(7, 1)).toBe(0);
  expect(ids[7]).toBe(0);
});

test('the rate learns from what was right and what was wrong, stays between 0 and 1, and recovers from wrong guesses alone', () => {
  const drafts = new Drafts(new Uint32Array(8));
  const first = drafts.rate;
  for (let i = 0; i < 100; i++) drafts.learn(true);
  const best = drafts.rate;
  expect(best).toBeGreaterThan(0.99);
  expect(best).toBeLessThanOrEqual(1);
  for (let i = 0; i < 10; i++) drafts.rest();
  expect(drafts.rate).toBe(best);
  for (let i = 0; i < 100; i++) drafts.learn(false);
  expect(drafts.rate).toBeLessThan(0.01);
  expect(drafts.rate).toBeGreaterThanOrEqual(0);
  for (let i = 0; i < 1000; i++) drafts.rest();
  expect(drafts.rate).toBeCloseTo(first, 1);
});

test('what a model foresees is guessed in the place that it is meant for, once there is room, and is gone with zero()', () => {
  const ids = arrayOf([1, 2, 3], 2);
  const drafts = new ForeseenDrafts(ids);
  expect(drafts.guess(3, 4)).toBe(0);
  drafts.see(3, 7);
  expect([drafts.guess(3, 0), drafts.guess(2, 4), drafts.guess(4, 4), [...ids]]).toEqual([0, 0, 0, [1, 2, 3, 0, 0]]);
  expect([drafts.guess(3, 4), [...ids]]).toEqual([1, [1, 2, 3, 7, 0]]);
  drafts.see(4, undefined);
  expect(drafts.guess(4, 1)).toBe(0);
  drafts.see(5, 9);
  expect([drafts.guess(5, 1), ids.length]).toEqual([0, 5]);
  drafts.see(4, 9);
  drafts.zero();
  expect(drafts.guess(4, 1)).toBe(0);
});
