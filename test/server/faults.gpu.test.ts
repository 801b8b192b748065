/** A client that reads its stream slowly, over a real engine: its own sequences park, others are answered, and nothing is lost. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { openText } from '../../runtime/text/index.ts';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { openTo } from './doorkeeper.ts';
import { until } from './help.ts';

test('a stream that nobody reads parks, and others go on', async () => {
  const { modelPath } = readOracle('gguf_llama_q4_1');
  await using engine = await createEngine({ modelPath, device: testDevice(), contextLength: 256, kvTokens: 2048, maxSequences: 4 });
  await using text = await openText({ modelPath });
  await using app = buildApp({ ...openTo({ engine, text }), settings: parseSettings({}) });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const completions = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }).completions;

  const asked = { model: 'default', prompt: [[5, 6, 7]], n: 32, seed: 1, max_tokens: 240, logprobs: 20, ignore_eos: true };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest(`${url}/v1/completions`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    request
      .on('response', resolve)
      .on('error', reject)
      .end(JSON.stringify({ ...asked, stream: true }));
  });
  await until(() => engine.stats().parked > 0 && engine.stats().running === engine.stats().parked, 60_000);
  const brief = { model: 'default', prompt: [[9, 8, 7, 6]], seed: 3, max_tokens: 12, ...({ ignore_eos: true } as object) };
  const meanwhile = [await completions.create(brief), await completions.create(brief)];
  expect(engine.stats().parked).toBeGreaterThan(0);

  const texts = Array<string>(asked.n).fill('');
  let received = '';
  for await (const part of response.setEncoding('utf8')) received += part;
  for (const frame of received.split('\n\n').filter((line) => line.startsWith('data: {'))) {
    for (const choice of JSON.parse(frame.slice('data: '.length)).choices) texts[choice.index] += choice.text;
  }
  expect(received.endsWith('data: [DONE]\n\n')).toBe(true);
  // Alone, and read at once: the same texts.
  for (const index of [0, 3, 17, 31]) {
    const alone = await completions.create({ ...asked, n: 1, seed: asked.seed + index });
    expect(texts[index] === alone.choices[0]?.text).toBe(true);
  }
  const again = await completions.create(brief);
  expect(meanwhile.map(({ choices }) => choices[0]?.text)).toEqual([again.choices[0]?.text, again.choices[0]?.text]);
  await until(() => engine.stats().running === 0 && engine.stats().parked === 0);
});

test('a full queue tells how long it will be, as the engine estimates it', async () => {
  const { modelPath } = readOracle('gguf_llama_q4_1');
  await using engine = await createEngine({ modelPath, device: testDevice(), contextLength: 2000, maxSequences: 1, queueLength: 1, tune: 'off' });
  await using text = await openText({ modelPath });
  await using app = buildApp({ ...openTo({ engine, text }), settings: parseSettings({ retryAfterSeconds: 599 }) });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const abort = new AbortController();
  const post = (maxTokens: number): Promise<Response> =>
    fetch(`${url}/v1/completions`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, signal: abort.signal },
      body: JSON.stringify({ model: 'default', prompt: [5, 6, 7], max_tokens: maxTokens, ignore_eos: true }),
    });
  // So that the pace of the device is known.
  expect((await post(20)).status).toBe(200);
  const [first, second] = [post(1900), post(1900)].map((answer) => answer.catch(() => undefined));
  await until(() => engine.stats().running === 1 && engine.stats().waiting === 1, 20_000);
  const before = engine.stats().estimatedWaitMs;
  const refusal = await post(20);
  expect(refusal.status).toBe(429);
  expect(before).toBeGreaterThan(0);
  const seconds = Number(refusal.headers.get('retry-after'));
  // The estimate changes from step to step.
  expect(seconds).toBeGreaterThanOrEqual(1);
  expect(seconds).toBeLessThanOrEqual(Math.ceil((10 * before) / 1000) + 1);
  abort.abort();
  await Promise.all([first, second]);
  await until(() => engine.stats().running === 0 && engine.stats().waiting === 0);
});
