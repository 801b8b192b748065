/**
 * The API over a real model: SmolLM2-135M-Instruct in Q4_1, scores against transformers on the same dequantized weights.
 * Needs the file that set-up fetches, and says so when it is not there.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheFolder } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import { openText } from '../../runtime/text/index.ts';
import { defaultModel } from '../../scripts/setup/model.ts';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { testDevice } from '../gpu.ts';
import { readFixture } from '../test-data.ts';
import { openTo } from './doorkeeper.ts';
import { collect, user } from './help.ts';

const golden: {
  readonly cases: readonly { readonly ids: number[]; readonly top20: readonly (readonly [id: number, logprob: number])[] }[];
  readonly passage: { readonly text: string; readonly ids: number[]; readonly mean_nll: number };
} = JSON.parse(readFixture('smollm2/golden.json').toString('utf8'));
const modelPath = join(cacheFolder(), 'models', defaultModel.file);
/** Of the mean, with KV in f16; see test/models/smollm2.test.ts. */
const bound = 0.005;

function checkApi(): void {
  const close: (() => Promise<void>)[] = [];
  let app: FastifyInstance;
  let api: OpenAI;
  beforeAll(async () => {
    const engine = await createEngine({ modelPath, device: testDevice(), contextLength: 512, kvTokens: 2048 });
    const text = await openText({ modelPath });
    app = buildApp({ ...openTo({ engine, text }), settings: parseSettings({}) });
    close.push(
      () => app.close(),
      async () => engine[Symbol.asyncDispose](),
      async () => text[Symbol.asyncDispose](),
    );
    api = new OpenAI({ baseURL: `${await app.listen({ host: '127.0.0.1', port: 0 })}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(async () => {
    for (const one of close) await one();
  });

  const { passage } = golden;
  const sum = (numbers: readonly (number | null | undefined)[]): number => numbers.reduce<number>((total, number) => total + (number ?? 0), 0);

  test.each([
    ['text', passage.text, 0],
    ['ids', [passage.ids], 1],
  ] as const)('a passage as %s is scored', async (_, prompt, maxTokens) => {
    const body = { model: 'default', prompt: prompt as string | number[][], echo: true, max_tokens: maxTokens, logprobs: 1, temperature: 0 };
    const { choices, usage } = await api.completions.create(body);
    const { token_logprobs = [], tokens = [], text_offset = [] } = choices[0]?.logprobs ?? {};
    expect(usage).toMatchObject({ prompt_tokens: passage.ids.length, completion_tokens: maxTokens });
    expect(token_logprobs).toHaveLength(passage.ids.length + maxTokens);
    expect(token_logprobs[0]).toBeNull();
    const scores = token_logprobs.slice(1, passage.ids.length);
    expect(Math.abs(-sum(scores) / scores.length - passage.mean_nll)).toBeLessThan(bound);
    // ASCII: tokens are text and stand where their offsets say.
    expect(choices[0]?.text.startsWith(passage.text)).toBe(true);
    expect(tokens.slice(0, passage.ids.length).join('')).toBe(passage.text);
    for (const [index, offset] of text_offset.slice(0, passage.ids.length).entries()) expect(passage.text.startsWith(tokens[index] ?? '', offset)).toBe(true);
  });

  test('the alternatives of the next token', async () => {
    const { choices } = await api.completions.create({
      model: 'default',
      prompt: golden.cases.map(({ ids }) => ids),
      max_tokens: 1,
      logprobs: 20,
      temperature: 0,
    });
    for (const [index, { top20 }] of golden.cases.entries()) {
      const top = Object.values(choices[index]?.logprobs?.top_logprobs?.[0] ?? {}).sort((a, b) => b - a);
      for (const [place, [, logprob]] of top20.slice(0, 10).entries()) expect(Math.abs((top[place] ?? Number.NaN) - logprob)).toBeLessThan(0.15);
    }
  });

  test('choices repeat with their seeds, streamed or not, and alone', async () => {
    const base = { model: 'default', messages: [user('Name a colour.')], max_tokens: 6, seed: 11, logprobs: true, top_logprobs: 2 };
    const plain = await api.chat.completions.create({ ...base, n: 3 });
    expect(new Set(plain.choices.map(({ message }) => message.content)).size).toBeGreaterThan(1);
    const chunks = await collect(await api.chat.completions.create({ ...base, n: 3, stream: true }));
    const second = await api.chat.completions.create({ ...base, seed: 12 });
    for (const { index, message, logprobs } of plain.choices) {
      const mine = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
      expect(mine.map(({ delta }) => delta.content ?? '').join('')).toBe(message.content);
      expect(mine.flatMap((choice) => choice.logprobs?.content ?? [])).toEqual(logprobs?.content);
      expect(logprobs?.content?.map(({ token }) => token).join('')).toBe(message.content);
    }
    expect(second.choices[0]?.message.content).toBe(plain.choices[1]?.message.content);
  });

  test('bias forbids and forces, ignore_eos goes on, a deadline passes', async () => {
    const base = { model: 'default', prompt: 'The patient', temperature: 0, max_tokens: 4 };
    const free = await api.completions.create({ ...base, logprobs: 1 });
    const forced = await api.completions.create({ ...base, logit_bias: { 0: 100 } });
    expect(forced.choices[0]).toMatchObject({ text: '', finish_reason: 'stop' });
    const endless = await api.completions.create({ ...base, logit_bias: { 0: 100 }, ...({ ignore_eos: true } as object) });
    expect([endless.choices[0]?.finish_reason, endless.usage?.completion_tokens]).toEqual(['length', 4]);
    const penalized = await api.completions.create({ ...base, max_tokens: 16, frequency_penalty: 2, ...({ repetition_penalty: 2 } as object) });
    expect(penalized.choices[0]?.text).not.toBe(free.choices[0]?.text);
    const late = api.completions.create({ ...base, max_tokens: 400, n: 4 }, { headers: { 'x-inward-deadline-ms': '200' } });
    await expect(late).rejects.toMatchObject({ code: expect.stringMatching(/^deadline_(exceeded|unreachable)$/) });
  });
}

if (existsSync(modelPath)) describe('the API over SmolLM2', checkApi);
else test('the API over SmolLM2', ({ skip }) => skip('its file is not in the cache: node scripts/setup.mjs fetches it'));
