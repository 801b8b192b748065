/** The prefix cache seen from outside, over a real engine: what is kept for whom, what the answer says of it, and one computation of a prompt for all its choices. */
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { openText } from '../../runtime/text/index.ts';
import type { Engine } from '../../runtime/types.ts';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { serve } from '../e2e/command.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { openTo } from './doorkeeper.ts';
import { collect } from './help.ts';

const close: (() => Promise<void>)[] = [];
let engine: Engine;
let completions: OpenAI.Completions;
beforeAll(async () => {
  const { modelPath } = readOracle('gguf_llama_q4_1');
  const [real, text] = [await createEngine({ modelPath, device: testDevice(), contextLength: 256, kvTokens: 2048 }), await openText({ modelPath })];
  engine = real;
  const app = buildApp({ ...openTo({ engine, text }), settings: parseSettings({}) });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  completions = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }).completions;
  close.push(
    () => app.close(),
    async () => real[Symbol.asyncDispose](),
    async () => text[Symbol.asyncDispose](),
  );
});
afterAll(async () => {
  for (const one of close) await one();
});

let prompts = 0;
/** 40 ids, two full blocks of 16 and a half one; no two of these begin alike. */
const makePrompt = (): number[] => Array.from({ length: 40 }, (_, place) => (place === 0 ? 10 + prompts++ : 20 + place));

async function ask(
  prompt: readonly number[],
  fields: object = {},
  headers: Record<string, string> = {},
): Promise<{ text: string[]; cached: number; means: number[] }> {
  const body = { model: 'default', prompt: [[...prompt]], max_tokens: 10, seed: 5, ignore_eos: true, ...fields };
  const { choices, usage } = await completions.create(body, { headers });
  const means = choices.map(({ logprobs }) => (logprobs?.token_logprobs ?? []).reduce((sum, one) => sum + one, 0) / 10);
  return { text: choices.map(({ text }) => text), means, cached: usage?.prompt_tokens_details?.cached_tokens ?? Number.NaN };
}

test('a prompt that was sent before is found, and gives the same answer', async () => {
  const prompt = makePrompt();
  const cold = await ask(prompt);
  const warm = await ask(prompt);
  expect([cold.cached, warm.cached]).toEqual([0, 32]);
  expect(warm.text).toEqual(cold.text);
  expect((await ask([...prompt.slice(0, 20), 3, ...prompt.slice(21)])).cached).toBe(16);
  const body = { model: 'default', prompt: [[...prompt], [...prompt]], max_tokens: 2, stream: true as const, stream_options: { include_usage: true } };
  expect((await collect(await completions.create(body))).at(-1)?.usage?.prompt_tokens_details).toEqual({ cached_tokens: 64 });
  // The answer ends by a stop string, before the engine's own end.
  const [stop = ''] = cold.text;
  expect((await ask(prompt, { stop: stop.slice(0, 1) })).cached).toBe(32);
});

test('a salt shares with itself alone', async () => {
  const prompt = makePrompt();
  const seen: number[] = [];
  for (const cache_salt of ['a', 'b', undefined, 'a', 'b', undefined]) seen.push((await ask(prompt, { cache_salt })).cached);
  expect(seen).toEqual([0, 0, 0, 32, 32, 32]);
});

test('x-inward-no-cache leaves nothing and takes nothing', async () => {
  const prompt = makePrompt();
  const noCache = { 'x-inward-no-cache': '1' };
  const seen: number[] = [];
  for (const headers of [noCache, {}, noCache, {}] as Record<string, string>[]) seen.push((await ask(prompt, {}, headers)).cached);
  expect(seen).toEqual([0, 0, 0, 32]);
});

test.each([{ n: 4 }, { n: 1, best_of: 4 }])('%j computes a prompt once, with or without the cache', async (fields) => {
  const prompt = makePrompt();
  const alone = await Promise.all([5, 6, 7, 8].map((seed) => ask(prompt, { seed, logprobs: 0 }, { 'x-inward-no-cache': '1' })));
  const before = engine.stats().promptTokens;
  const { text, cached } = await ask(prompt, fields, { 'x-inward-no-cache': '1' });
  expect(cached).toBe(0);
  // The last token of a prompt is each choice's own: it gives the first logits.
  expect(engine.stats().promptTokens - before).toBe(40 + 3);
  const each = alone.map((one) => one.text[0]);
  if (fields.n === 4) expect(text).toEqual(each);
  else expect(text).toEqual([alone.reduce((best, one) => ((one.means[0] ?? 0) > (best.means[0] ?? 0) ? one : best)).text[0]]);
});

test('batch work is answered like any other', async () => {
  const prompt = makePrompt();
  const plain = await ask(prompt);
  expect((await ask(prompt, { service_tier: 'flex' })).text).toEqual(plain.text);
  expect((await ask(prompt, { priority: 5 })).text).toEqual(plain.text);
});

test.each([
  [[], [0, 32, 0, 32]],
  [
    ['--prefix-seconds', '0', '--draft-length', '0'],
    [0, 0, 0, 0],
  ],
])(
  'through the command and the process of the engine, with flags %j',
  async (flags, expected) => {
    await using server = await serve(readOracle('gguf_llama_q4_1').modelPath, '--context', '256', '--no-tune', ...flags);
    const api = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key, maxRetries: 0 }).completions;
    const prompt = makePrompt();
    const answers = [];
    for (const salt of [undefined, undefined, 's', 's']) {
      answers.push(await api.create({ model: 'default', prompt, max_tokens: 8, temperature: 0, ...({ cache_salt: salt, ignore_eos: true } as object) }));
    }
    expect(answers.map(({ usage }) => usage?.prompt_tokens_details?.cached_tokens)).toEqual(expected);
    expect(new Set(answers.map(({ choices }) => choices[0]?.text)).size).toBe(1);
  },
  300_000,
);
