/** OpenAI's embeddings as they are on the wire: texts, ids, formats, dimensions, counts, refusals; and what is left of them. */
import type { LightMyRequestResponse } from 'fastify';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { InwardError } from '../../../runtime/errors.ts';
import { buildApp } from '../../../server/app.ts';
import { parseSettings } from '../../../server/config.ts';
import type { Use } from '../../../server/privacy/gate.ts';
import { FakeEngine, type FakeEngineOptions } from '../../fake-engine.ts';
import { FakeText } from '../../fake-text.ts';
import { openTo } from '../doorkeeper.ts';
import { type Bench, listen } from '../help.ts';

const encoder = { pooling: 'mean', isNormalized: true, length: 3 } as const;
const given: Float32Array[] = [];
/** First id, last id, how many: before it gets length 1. */
const embedding = (ids: Uint32Array): Float32Array => {
  const values = Float32Array.of(ids[0] ?? 0, ids.at(-1) ?? 0, ids.length);
  given.push(values);
  return values;
};
const open = (options: Partial<FakeEngineOptions> = {}): Promise<Bench> =>
  listen({ script: () => [], embedding, ...options, info: { encoder, contextLength: 8, ...options.info } });
const post = (bench: Bench, body: object, headers = {}): Promise<LightMyRequestResponse> =>
  bench.app.inject({ method: 'POST', url: '/v1/embeddings', payload: { model: 'default', ...body }, headers });
const unit = (...values: number[]): number[] => values.map((value) => Number(Math.fround(value / Math.hypot(...values)).toPrecision(9)));

test('a text, texts, ids and lists of ids, in their order, with their tokens', async () => {
  await using bench = await open();
  // The tokenizer puts 257 before a text.
  expect((await post(bench, { input: 'ab' })).json()).toEqual({
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding: unit(257, 98, 3) }],
    model: 'fake-model',
    usage: { prompt_tokens: 3, total_tokens: 3 },
  });
  const vectors = async (input: unknown): Promise<unknown> =>
    (await post(bench, { input })).json<{ data: { embedding: number[] }[] }>().data.map((one) => one.embedding);
  expect(await vectors(['a', 'bc'])).toEqual([unit(257, 97, 2), unit(257, 99, 3)]);
  expect(await vectors([5, 6])).toEqual([unit(5, 6, 2)]);
  expect(await vectors([[5], [7, 8, 9], 'a'])).toEqual([unit(5, 5, 1), unit(7, 9, 3), unit(257, 97, 2)]);
  const many = Array.from({ length: 300 }, (_, id) => [id % 300]);
  expect(await vectors(many)).toEqual(many.map(([id = 0]) => unit(id, id, 1)));
});

test('base64 has the bytes of the same numbers; fewer dimensions are the first numbers, of length 1 again', async () => {
  await using bench = await open();
  const one = async (body: object): Promise<string & number[]> => (await post(bench, { input: [6, 8], ...body })).json().data[0].embedding;
  const bytes = Buffer.from(await one({ encoding_format: 'base64' }), 'base64');
  expect(Array.from({ length: 3 }, (_, i) => Number(bytes.readFloatLE(4 * i).toPrecision(9)))).toEqual(unit(6, 8, 2));
  expect(bytes.length).toBe(12);
  expect(await one({ dimensions: 2 })).toEqual([0.6, 0.8].map((value) => Number(Math.fround(value).toPrecision(9))));
  expect(await one({ dimensions: 3 })).toEqual(unit(6, 8, 2));
  expect(Buffer.from(await one({ dimensions: 1, encoding_format: 'base64' }), 'base64').readFloatLE(0)).toBe(1);
});

test('OpenAI’s own client reads it', async () => {
  await using bench = await open();
  const client = new OpenAI({ baseURL: `http://127.0.0.1:${bench.port}/v1`, apiKey: 'any', maxRetries: 0 });
  const { data, usage } = await client.embeddings.create({ model: 'default', input: ['ab', 'c'] });
  expect(data.map((one) => Array.from(one.embedding, (value) => Number(value.toPrecision(9))))).toEqual([unit(257, 98, 3), unit(257, 99, 2)]);
  expect(usage).toEqual({ prompt_tokens: 5, total_tokens: 5 });
});

test.each([
  ['no input', {}, 'input', 'input must be a string or an array.'],
  ['an empty list', { input: [] }, 'input', 'input must have a length of at least 1.'],
  ['too many texts', { input: Array(2049).fill('a') }, 'input', 'input must be at most 2048 inputs.'],
  ['a list of something else', { input: ['a', true] }, 'input[1]', 'input[1] must be a string or an array.'],
  ['another format', { input: 'a', encoding_format: 'int8' }, 'encoding_format', 'encoding_format must be one of float, base64.'],
  ['more dimensions than there are', { input: 'a', dimensions: 4 }, 'dimensions', 'dimensions must be at most 3.'],
  ['an unknown field', { input: 'a', flux: 1 }, 'body', /^body has a field that this server does not know/],
  ['a text that is too long', { input: ['a', 'abcdefghij'] }, 'input', /^Text 2 of 2 has 11 tokens and the model takes 8\./],
  ['an id that the vocabulary has not', { input: [777] }, 'input', /^A token id lies outside the vocabulary of 300 tokens\./],
])('%s is refused by its name', async (_, body, param, message) => {
  await using bench = await open();
  const answer = await post(bench, body);
  expect([answer.statusCode, answer.json().error.param]).toEqual([400, param]);
  expect(answer.json().error.message).toMatch(message);
  expect(answer.body).not.toContain('777');
  expect(bench.engine.requests).toEqual([]);
});

test('a text that is too long is cut where the client asks for it', async () => {
  await using bench = await open();
  const answer = (await post(bench, { input: [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]], truncate: true })).json();
  expect(answer).toMatchObject({ data: [{ embedding: unit(1, 10, 8) }], usage: { prompt_tokens: 8 } });
});

test('a decoder gives none, and an encoder answers nothing else', async () => {
  await using decoder = await listen({ script: () => [] });
  const refused = await post(decoder, { input: 'secret' });
  expect([refused.statusCode, refused.json().error.message]).toEqual([400, expect.stringMatching(/^The loaded model is a decoder \(fake\)/)]);
  expect(decoder.text.texts).toEqual([]);
  await using bench = await open();
  for (const [url, body] of [
    ['/v1/completions', { prompt: 'Hi' }],
    ['/v1/completions', { prompt: 'Hi', max_tokens: 0, echo: true, logprobs: 1 }],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['/v1/messages', { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4 }],
  ] as const) {
    const answer = await bench.app.inject({ method: 'POST', url, payload: { model: 'default', ...body } });
    expect([answer.statusCode, answer.json().error.message]).toEqual([400, expect.stringMatching(/^The loaded model is an encoder \(fake\)/)]);
  }
  expect(bench.text.texts).toEqual([]);
});

test('ids and vectors are zeroed, also of an answer that fails', async () => {
  await using bench = await open();
  given.length = 0;
  expect((await post(bench, { input: ['ab', [5, 6]], dimensions: 2 })).statusCode).toBe(200);
  await using failing = await open({
    embedding: (ids) => {
      if (ids.length === 3) throw new InwardError('logits_invalid');
      return embedding(ids);
    },
  });
  expect((await post(failing, { input: ['a', 'bc', 'd'] })).statusCode).toBe(500);
  // What is being computed ends with the next step.
  await expect.poll(() => failing.engine.running).toBe(0);
  for (const values of [...given, ...bench.text.given, ...failing.text.given]) expect(values.every((value) => value === 0)).toBe(true);
  expect(given.length).toBeGreaterThan(2);
});

test('what was refused before anything ran is recorded as that', async () => {
  const used: Use[] = [];
  const fake = (places: number): FakeEngine => new FakeEngine({ script: () => [], embedding, places, info: { encoder, contextLength: 8 } });
  for (const [engine, input] of [
    [fake(0), 'a'],
    [fake(8), 'a text of many more bytes'],
  ] as const) {
    await using app = buildApp({ ...openTo({ engine, text: new FakeText() }, { settle: (use) => void used.push(use) }), settings: parseSettings({}) });
    await app.inject({ method: 'POST', url: '/v1/embeddings', payload: { model: 'default', input } });
  }
  expect(used).toMatchObject([
    { ending: 'refused', error: 'queue_full' },
    { ending: 'refused', error: 'text_too_long' },
  ]);
});

test('a deadline is kept, and a full queue is told', async () => {
  await using slow = await open({ stepMs: 60 });
  expect((await post(slow, { input: 'a' }, { 'x-inward-deadline-ms': '10' })).json().error.code).toBe('deadline_exceeded');
  await using full = await open({ places: 0 });
  const answer = await post(full, { input: 'a' });
  expect([answer.statusCode, answer.json().error.code, answer.headers['retry-after']]).toEqual([429, 'queue_full', expect.stringMatching(/^\d+$/)]);
});
