/** The text of an answer and its tokens, over all splits and stop strings. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDecoder } from '../../runtime/text/detokenizer.ts';
import { type Pieces, readPiece } from '../../runtime/text/pieces.ts';
import type { TextModel } from '../../runtime/text/types.ts';
import type { TokenId } from '../../runtime/types.ts';
import { AnswerText, type AnswerToken, type Passage } from '../../server/openai/answer-text.ts';

/** A text side whose token i is the bytes of run i; an empty run is a control token. */
function modelOf(runs: readonly Uint8Array[]): TextModel {
  const offsets = Uint32Array.from([0, ...runs.map((_, i) => runs.slice(0, i + 1).reduce((sum, run) => sum + run.length, 0))]);
  const pieces: Pieces = { offsets, bytes: Buffer.concat(runs), names: Uint8Array.from(runs, (run) => (run.length === 0 ? 1 : 0)) };
  return { createDecoder: () => createDecoder(pieces), readPiece: (id: TokenId) => readPiece(pieces, id) } as TextModel;
}

/** Cuts bytes at places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = [0, ...places.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
}

const token = (id: number) => ({ id: id as TokenId, logprobs: null, isEnd: false });

/** The passages in which the runs come out. */
function speak(runs: readonly Uint8Array[], stops: readonly string[]): Passage[] {
  const answer = new AnswerText(modelOf(runs), stops, true);
  const passages: Passage[] = [];
  for (const id of runs.keys()) {
    const { isStopped, ...passage } = answer.push(token(id));
    passages.push(passage);
    if (isStopped) return passages;
  }
  passages.push(answer.end());
  return passages;
}

const textOf = (passages: readonly Passage[]): string => passages.map(({ text }) => text).join('');
const tokensOf = (passages: readonly Passage[]): AnswerToken[] => passages.flatMap(({ tokens }) => tokens ?? []);

/** The rule, said in the plainest way: the text up to the first place at which it ends with a stop string. */
function cutAtStop(text: string, stops: readonly string[]): string {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0];
    if (ending !== undefined) return text.slice(0, end - ending.length);
  }
  return text;
}

/** Whole characters in the first bytes. */
const countWhole = (bytes: Uint8Array): number => [...new TextDecoder().decode(bytes, { stream: true })].length;

// Few letters, so that stop strings and overlaps are likely; of one, two, three and four bytes.
const word = (maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b', 'ä', '€', '😀'), minLength: 1, maxLength });
const places = fc.array(fc.nat(40), { maxLength: 12 });

test('text and tokens come out the same however the text is cut into tokens, and tokens stand in the text', () => {
  fc.assert(
    fc.property(word(10), fc.array(word(3), { maxLength: 4 }), places, (text, stops, where) => {
      const bytes = Buffer.from(text);
      const runs = cut(bytes, where);
      const expected = cutAtStop(text, stops);
      const passages = speak(runs, stops);
      expect(textOf(passages)).toBe(expected);

      const starts = runs.map((_, i) => countWhole(Buffer.concat(runs.slice(0, i))));
      const isIn = starts.map((start, i) => (runs[i]?.length === 0 ? start <= [...expected].length : start < [...expected].length));
      // Once a token is cut off, so are all that follow; a control token at the cut belongs to what it comes before.
      const count = isIn.includes(false) ? isIn.indexOf(false) : runs.length;
      const isEndless = expected === text;
      const tokens = tokensOf(passages);
      expect(tokens.map(({ id }) => id)).toEqual(Array.from(Array(isEndless ? runs.length : Math.min(count, tokens.length)).keys()));
      if (!isEndless) expect(runs.slice(tokens.length, count).every((run) => run.length === 0)).toBe(true);
      expect(tokens.map(({ offset }) => offset)).toEqual(starts.slice(0, tokens.length));
    }),
    { numRuns: 3000, seed: 5 },
  );
});

test('no token comes before the character that it begins, nor later than the passage with it', () => {
  fc.assert(
    fc.property(word(10), fc.array(word(3), { maxLength: 3 }), places, (text, stops, where) => {
      const runs = cut(Buffer.from(text), where).filter((run) => run.length > 0);
      let before = 0;
      for (const passage of speak(runs, stops)) {
        const after = before + [...passage.text].length;
        for (const { offset } of passage.tokens ?? []) expect(offset >= before && offset < after).toBe(true);
        before = after;
      }
    }),
    { numRuns: 2000, seed: 6 },
  );
});

test('bytes that are no characters: nothing is lost, every token is reported', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), places, (bytes, where) => {
      const runs = cut(bytes, where);
      const passages = speak(runs, []);
      expect(textOf(passages)).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
      expect(tokensOf(passages).map(({ id }) => id)).toEqual([...runs.keys()]);
    }),
    { numRuns: 2000, seed: 7 },
  );
});

const bytes = (text: string): Uint8Array => Buffer.from(text);
const euro = bytes('€');

test('tokens of an incomplete character wait for it', () => {
  const passages = speak([bytes('x'), euro.subarray(0, 1), euro.subarray(1, 2), euro.subarray(2)], []);
  expect(passages.map(({ text, tokens }) => [text, tokens?.map(({ id, offset }) => [id, offset])])).toEqual([
    ['x', [[0, 0]]],
    ['', []],
    ['', []],
    [
      '€',
      [
        [1, 1],
        [2, 1],
        [3, 1],
      ],
    ],
    ['', []],
  ]);
});

test('a token with text before a stop string is reported, those of the stop string alone are not', () => {
  const passages = speak([bytes('a '), bytes('bS'), bytes('TO'), bytes('P c')], ['STOP']);
  expect(textOf(passages)).toBe('a b');
  expect(tokensOf(passages).map(({ id }) => id)).toEqual([0, 1]);
});

test('a stop string that does not come gives its tokens back with its text', () => {
  const passages = speak([bytes('S'), bytes('T'), bytes('x')], ['STOP']);
  expect(passages.map(({ text, tokens }) => [text, tokens?.length])).toEqual([
    ['', 0],
    ['', 0],
    ['STx', 3],
    ['', 0],
  ]);
});

test('an echoed prompt holds stop strings, and its last character may come with the answer', () => {
  const runs = [bytes('STOP '), euro.subarray(0, 2), euro.subarray(2), bytes('STOP')];
  const answer = new AnswerText(modelOf(runs), ['STOP'], true);
  const prompt = answer.echo([token(0), token(1)]);
  expect([prompt.text, prompt.tokens?.map(({ id }) => id)]).toEqual(['STOP ', [0]]);
  const first = answer.push(token(2));
  expect([first.text, first.tokens?.map(({ id, offset }) => [id, offset]), first.isStopped]).toEqual([
    '€',
    [
      [1, 5],
      [2, 5],
    ],
    false,
  ]);
  const stopped = answer.push(token(3));
  expect([stopped.text, stopped.tokens, stopped.isStopped]).toEqual(['', [], true]);
});

test('without tokens there is text alone', () => {
  const answer = new AnswerText(modelOf([bytes('a')]), [], false);
  expect(answer.push(token(0))).toEqual({ text: 'a', tokens: undefined, isStopped: false });
});

test('the time for a text grows as its length does', () => {
  const time = (length: number): number => {
    const runs = [bytes('word '), bytes('€').subarray(0, 2), bytes('€').subarray(2)];
    const model = modelOf(runs);
    const tokens = Array.from({ length }, (_, index) => token(index % 3));
    const start = performance.now();
    const answer = new AnswerText(model, ['never'], true);
    answer.echo(tokens);
    for (const one of tokens) answer.push(one);
    return performance.now() - start;
  };
  time(5000);
  const short = Math.min(...[1, 2, 3].map(() => time(5000)));
  const long = Math.min(...[1, 2, 3].map(() => time(40_000)));
  // 8 times the length; a square would take 64 times as long.
  expect(long / short).toBeLessThan(30);
});
