/** `inward embed`: lines and ids to vectors, in order; what is refused repeats nothing; nothing of a text is left in memory of ours. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCommand } from '../../../server/cli/index.ts';
import type { FakeEngineOptions } from '../../fake-engine.ts';
import { FakeWorld } from '../fake-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-embed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const encoder = { pooling: 'mean', isNormalized: true, length: 2 } as const;
/** Count and sum of the ids, not normalized. */
const given: Float32Array[] = [];
const createWorld = (info: FakeEngineOptions['info'] = {}): FakeWorld =>
  new FakeWorld({
    info: { encoder, contextLength: 6, ...info },
    embedding: (ids) => {
      const values = Float32Array.of(
        ids.length,
        ids.reduce((sum, id) => sum + id, 0),
      );
      given.push(values);
      return values;
    },
  });
const unit = (a: number, b: number): number[] => [a, b].map((value) => Number(Math.fround(value / Math.hypot(a, b)).toPrecision(9)));

test('texts of a file or of standard input, one a line, with what the tokenizer puts around them', async () => {
  const file = join(folder, 'texts.txt');
  writeFileSync(file, 'ab\r\n\nc\n');
  const fromFile = createWorld();
  expect(await runCommand(['embed', 'm', file, '--json'], fromFile)).toBe(0);
  expect(fromFile.text.texts).toEqual(['ab', '', 'c']);
  // 257 stands before each text.
  const expected = [
    { tokens: 3, embedding: unit(3, 257 + 97 + 98) },
    { tokens: 1, embedding: unit(1, 257) },
    { tokens: 2, embedding: unit(2, 257 + 99) },
  ];
  expect(JSON.parse(fromFile.printed)).toEqual(expected);
  const fromInput = createWorld();
  fromInput.in.end('ab\n\nc');
  expect(await runCommand(['embed', 'm'], fromInput)).toBe(0);
  expect(fromInput.printed).toBe(expected.map(({ embedding }) => `${embedding.join(' ')}\n`).join(''));
  expect(fromInput.complained).toMatch(/^Not for PHI/);
});

test('the text process ends when all texts are encoded, and not before', async () => {
  const world = createWorld();
  world.in.end('ab\nc\n');
  let isOpen = true;
  let isWorking = false;
  const { encode } = world.text;
  world.text.encode = async (text, options) => {
    isWorking = true;
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (!isOpen) throw new Error('closed');
    isWorking = false;
    return encode.call(world.text, text, options);
  };
  world.text[Symbol.asyncDispose] = async () => {
    isOpen = false;
    expect(isWorking).toBe(false);
  };
  expect(await runCommand(['embed', 'm', '--json'], world)).toBe(0);
  expect(JSON.parse(world.printed)).toHaveLength(2);
  expect(isOpen).toBe(false);
});

test('ids need no tokenizer; vectors as they come; options reach the engine', async () => {
  const world = createWorld();
  const args = ['embed', 'm', '--ids', '1,2,3', '--ids', '4', '--json', '--no-normalize', '--exact', '--max-sequences', '3', '--device', 'lavapipe'];
  expect(await runCommand(args, world)).toBe(0);
  expect(JSON.parse(world.printed)).toEqual([
    { tokens: 3, embedding: [3, 6] },
    { tokens: 1, embedding: [1, 4] },
  ]);
  expect(world.openedTexts).toEqual([]);
  expect(world.opened).toEqual([expect.objectContaining({ modelPath: 'm', kv: 'f32', activations: 'f32', maxSequences: 3, device: 'lavapipe', tune: 'off' })]);
});

test('ids and vectors are zeroed once they are written', async () => {
  const world = createWorld();
  world.in.end('secret\n');
  given.length = 0;
  expect(await runCommand(['embed', 'm', '--truncate'], world)).toBe(0);
  expect(world.printed).not.toBe('');
  expect([...world.text.given, ...given].every((values) => values.every((value) => value === 0))).toBe(true);
  expect(world.engine.prompts.every((ids) => ids.every((id) => id === 0))).toBe(true);
});

test('a text of too many tokens is refused with its place, or cut before its last token', async () => {
  const refused = createWorld();
  expect(await runCommand(['embed', 'm', '--ids', '1', '--ids', '1,2,3,4,5,6,7,8'], refused)).toBe(1);
  expect(refused.complained).toBe('Text 2 of 2 has 8 tokens and the model takes 6. Shorten the text, or ask for it to be truncated.\n');
  expect([refused.printed, refused.engine.requests.length]).toEqual(['', 0]);
  const cut = createWorld();
  expect(await runCommand(['embed', 'm', '--ids', '1,2,3,4,5,6,7,8', '--truncate', '--json', '--no-normalize'], cut)).toBe(0);
  expect(JSON.parse(cut.printed)).toEqual([{ tokens: 6, embedding: [6, 1 + 2 + 3 + 4 + 5 + 8] }]);
});

test.each([
  ['a decoder', { encoder: undefined }, ['--ids', '1'], 1, /^The loaded model is a decoder \(fake\), which gives no embeddings\./],
  ['an id that the vocabulary has not', {}, ['--ids', '1,777'], 1, /^A token id lies outside the vocabulary of 300 tokens\./],
  ['ids that are none', {}, ['--ids', '777,x'], 2, /^--ids must be whole numbers/],
  ['a file that is not there', {}, ['777.txt'], 2, /^The file of texts cannot be read\./],
  ['formats beside --exact', {}, ['--ids', '1', '--exact', '--kv', 'f16'], 2, /cannot be used with/],
])('%s is refused in a sentence that repeats nothing', async (_, info, args, code, sentence) => {
  const world = createWorld(info);
  expect(await runCommand(['embed', 'm', ...args], world)).toBe(code);
  expect(world.complained).toMatch(sentence);
  expect(world.complained).not.toContain('777');
  expect(world.printed).toBe('');
});

test('no text at all is refused', async () => {
  const world = createWorld();
  world.in.end('');
  expect(await runCommand(['embed', 'm'], world)).toBe(2);
  expect(world.opened).toEqual([]);
});

test.each([['run', 'Hi'], ['chat']])('an encoder has no answer for %s', async (...args) => {
  const world = createWorld();
  world.in.end('Hi');
  expect(await runCommand(args, world)).toBe(1);
  expect(world.complained).toMatch(/^The loaded model is an encoder \(fake\), which gives embeddings and generates nothing\./);
  expect(world.engine.requests).toEqual([]);
});
