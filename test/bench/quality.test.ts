/** The arithmetic of the quality bench, by hand and by what must hold; and which passages it takes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { parseQualityOptions } from '../../bench/quality/options.ts';
import { drawPassages, readTexts } from '../../bench/quality/passages.ts';
import { boundDivergence, measureDistance } from '../../bench/quality/statistics.ts';
import type { TokenId, TokenLogprobs } from '../../runtime/types.ts';

const top = (...pairs: readonly (readonly [id: number, probability: number])[]): TokenLogprobs['top'] =>
  pairs.map(([id, probability]) => ({ id: id as TokenId, logprob: Math.log(probability) }));

test('distances of four positions, worked by hand', () => {
  const likeliest = (id: number) => top([id, 0.5]);
  const reference = [-1, -2, -3, -4].map((logprob, i) => ({ logprob, top: likeliest(i) }));
  const scored = [-1.5, -2, -2.75, -4.25].map((logprob, i) => ({ logprob, top: likeliest(i === 3 ? 9 : i) }));
  const found = measureDistance(scored, reference);
  expect(found.meanNll).toBeCloseTo(10.5 / 4, 12);
  expect(found.perplexity).toBeCloseTo(Math.exp(2.625), 12);
  // |d| = 0, 0.25, 0.25, 0.5; the 99th percentile lies at rank 2.97.
  expect(found.mean).toBeCloseTo(0.25, 12);
  expect(found.p99).toBeCloseTo(0.25 + 0.97 * 0.25, 12);
  expect([found.max, found.agreement]).toEqual([0.5, 0.75]);
  expect(measureDistance(reference, reference)).toMatchObject({ mean: 0, p99: 0, max: 0, divergence: 0, agreement: 1 });
});

test('numbers that are none, and positions that are missing, are refused', () => {
  const one = [{ logprob: -1, top: [] }];
  expect(() => measureDistance([{ logprob: Number.NaN, top: [] }], one)).toThrow(RangeError);
  expect(() => measureDistance(one, [...one, ...one])).toThrow(RangeError);
  expect(() => measureDistance([], [])).toThrow(RangeError);
});

test('the divergence of two lists: those in both, and all others as one', () => {
  // Of id 1 and the rest: 0.5 ln(0.5 / 0.25) + 0.5 ln(0.5 / 0.75).
  const expected = 0.5 * Math.log(2) + 0.5 * Math.log(0.5 / 0.75);
  expect(boundDivergence(top([1, 0.5], [2, 0.25]), top([1, 0.25], [3, 0.25]))).toBeCloseTo(expected, 12);
  expect(boundDivergence(top([1, 0.9]), top([2, 0.9]))).toBe(0);
});

test('it is never above the divergence of the whole distributions, and never below 0', () => {
  const weights = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(weights, weights, fc.integer({ min: 1, max: 11 }), (a, b, count) => {
      const [p, q] = [a, b].map((values) => values.map((value) => value / values.reduce((x, y) => x + y))) as [number[], number[]];
      const likeliest = (values: readonly number[]) =>
        top(
          ...values
            .map((value, id) => [id, value] as const)
            .toSorted(([, x], [, y]) => y - x)
            .slice(0, count),
        );
      const whole = p.reduce((sum, value, id) => sum + value * Math.log(value / (q[id] ?? Number.NaN)), 0);
      const bound = boundDivergence(likeliest(p), likeliest(q));
      expect(bound).toBeGreaterThanOrEqual(0);
      expect(bound).toBeLessThanOrEqual(whole + 1e-12);
      // Where one token is in neither list, the others are all of it.
      const listed = (values: readonly number[]) => top(...values.map((value, id) => [id, value] as const).slice(0, 11));
      expect(boundDivergence(listed(p), listed(q))).toBeCloseTo(whole, 10);
    }),
  );
});

function createFile(name: string, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

test('texts of JSON lines and of any file; a line that is not usable is named, and nothing of it', () => {
  const lines = [
    { id: '7', contexts: ['one', 'two'], question: 'why' },
    { note: 'note', dialogue: 'said' },
  ];
  expect(readTexts(createFile('a.jsonl', lines.map((line) => JSON.stringify(line)).join('\n')))).toEqual(['why\none\ntwo', 'said\nnote']);
  const long = 'word '.repeat(2000);
  expect(readTexts(createFile('a.txt', long)).join('')).toBe(long);
  for (const content of ['{"note":"a"}\n{"secret": ', '{"note":"a"}\n["secret"]', '{"note":"a"}\n{"other":"secret"}']) {
    const read = () => readTexts(createFile('b.jsonl', content));
    expect(read).toThrow(/^Line 2 /);
    expect(read).not.toThrow(/secret/);
  }
  expect(() => readTexts('/nowhere/at/all.txt')).toThrow('Expected a text file');
});

test('a sample: as many as asked, of each file in turn, long enough, no text twice, the same with the same seed', async () => {
  // A text of n characters has n ids, all its first character's.
  const texts = ['a', 'b'].map((letter) => Array.from({ length: 40 }, (_, i) => letter.repeat(2 * i) + (i < 5 ? '' : 'x')));
  const encode = async (text: string) => Uint32Array.from(text, (letter) => letter.charCodeAt(0));
  const sample = { passages: 10, shortest: 20, longest: 50, seed: 3 };
  const drawn = await drawPassages(texts, sample, encode);
  expect(drawn.map(([first = 0]) => String.fromCharCode(first))).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
  for (const { length } of drawn) expect(length >= 20 && length <= 50).toBe(true);
  expect(await drawPassages(texts, sample, encode)).toEqual(drawn);
  expect(await drawPassages(texts, { ...sample, seed: 4 }, encode)).not.toEqual(drawn);
  // 30 of each have 20 characters or more.
  expect(await drawPassages(texts, { ...sample, passages: 1000 }, encode)).toHaveLength(60);
});

test('options that contradict each other are refused', () => {
  expect(parseQualityOptions(['--file', 'a', '--file', 'b', '--passages', '3'])).toMatchObject({ file: ['a', 'b'], passages: 3, shortest: 256, longest: 512 });
  expect(() => parseQualityOptions(['--shortest', '9', '--longest', '8'])).toThrow('--shortest asks for more');
});
