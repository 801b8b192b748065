import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStopMatcher } from '../../server/openai/stop.ts';

/** The rule, said in the plainest way: let the text grow until it ends with a stop string; cut the longest such one. */
function reference(text: string, stops: readonly string[]): string {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0];
    if (ending !== undefined) return text.slice(0, end - ending.length);
  }
  return text;
}

function feed(pieces: readonly string[], stops: readonly string[]): string {
  const matcher = createStopMatcher(stops);
  let seen = '';
  for (const piece of pieces) {
    const { text, isStopped } = matcher.push(piece);
    seen += text;
    if (isStopped) return seen;
  }
  return seen + matcher.end();
}

/** Every way to cut a text into pieces. */
function* splits(text: string): Generator<readonly string[]> {
  for (let mask = 0; mask < 2 ** Math.max(0, text.length - 1); mask++) {
    const pieces: string[] = [];
    let start = 0;
    for (let index = 1; index <= text.length; index++) {
      if (index === text.length || mask & (1 << (index - 1))) {
        pieces.push(text.slice(start, index));
        start = index;
      }
    }
    yield pieces;
  }
}

test('the result is the same over all splits', () => {
  // Two letters make overlaps likely.
  const word = (maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength });
  fc.assert(
    fc.property(word(9), fc.array(word(4), { minLength: 1, maxLength: 4 }), (text, stops) => {
      const expected = reference(text, stops);
      for (const pieces of splits(text)) expect(feed(pieces, stops)).toBe(expected);
    }),
    { numRuns: 300, seed: 11 },
  );
});

test.each([
  ['text before the stop only', ['Hello ', 'END', ' more'], ['END'], 'Hello '],
  ['across token borders', ['x E', 'N', 'D y'], ['END'], 'x '],
  ['a beginning that goes on otherwise', ['E', 'N', 'E', 'ND'], ['END'], 'EN'],
  ['a beginning at the very end is text', ['a E', 'N'], ['END'], 'a EN'],
  ['the one complete first wins', ['abcd'], ['abcd', 'bc'], 'a'],
  ['of two that end together the longer', ['xabc'], ['bc', 'abc'], 'x'],
])('%s', (_, pieces, stops, expected) => {
  expect(feed(pieces, stops)).toBe(expected);
});

test('nothing is held back longer than a stop string could begin', () => {
  const matcher = createStopMatcher(['END']);
  expect(matcher.push('abc').text).toBe('abc');
  expect(matcher.push('E').text).toBe('');
  expect(matcher.push('x').text).toBe('Ex');
});
