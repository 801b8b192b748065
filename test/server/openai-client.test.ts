import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import type { Use } from '../../server/privacy/gate.ts';
import { say } from '../fake-text.ts';
import { collect, listen, until, user } from './help.ts';

const client = (url: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });

/** Of chats: nothing was kept from before, and nobody thought. */
const details = { prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 0 } };

test('a plain answer', async () => {
  await using bench = await listen();
  const answer = await client(bench.url).chat.completions.create({ model: 'fake-model', messages: [{ role: 'developer', content: 'Be brief.' }, user('Hi')] });
  expect(answer.object).toBe('chat.completion');
  expect(answer.model).toBe('fake-model');
  expect(answer.id).toMatch(/^chatcmpl-[\w-]{24}$/);
  expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(10);
  expect(answer.choices).toEqual([
    { index: 0, message: { role: 'assistant', content: 'Hello, world.', refusal: null }, logprobs: null, finish_reason: 'stop' },
  ]);
  // 1 start token + "system:Be brief.\n" + "user:Hi\n"; 13 characters and the end token
  expect(answer.usage).toEqual({ prompt_tokens: 1 + 17 + 8, completion_tokens: 14, total_tokens: 26 + 14, ...details });
  expect(bench.text.chats[0]?.map(({ role }) => role)).toEqual(['system', 'user']);
});

test('a stream with usage, frame by frame', async () => {
  await using bench = await listen({ script: say('aé€') });
  const stream = await client(bench.url).chat.completions.create({
    model: 'default',
    messages: [user('Hi')],
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = await collect(stream);
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  expect(chunks.every(({ object, model }) => object === 'chat.completion.chunk' && model === 'fake-model')).toBe(true);
  expect(chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta))).toEqual([
    { role: 'assistant', content: '' },
    { content: 'a' },
    { content: 'é' },
    { content: '€' },
    {},
  ]);
  expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, null, null, 'stop', undefined]);
  expect(chunks.map(({ usage }) => usage)).toEqual([null, null, null, null, null, { prompt_tokens: 9, completion_tokens: 7, total_tokens: 16, ...details }]);
});

test('the stream on the wire ends with [DONE] and says that nothing may keep it', async () => {
  await using bench = await listen({ script: say('x') });
  const response = await fetch(`${bench.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'default', messages: [user('Hi')], stream: true }),
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('connection')).toBe('close');
  expect(response.headers.get('x-inward-mode')).toBe('evaluation; not-for-phi');
  const frames = (await response.text()).split('\n\n');
  expect(frames.slice(-2)).toEqual(['data: [DONE]', '']);
  expect(frames.slice(0, -1).every((frame) => frame.startsWith('data: '))).toBe(true);
  expect(frames.join('')).not.toContain('"usage"');
});

test('settings reach the engine; top_p 0 is greedy, the token limit is the smaller one', async () => {
  await using bench = await listen({ script: say('long enough'), info: { contextLength: 20 } });
  const api = client(bench.url).chat.completions;
  const base = { model: 'default', messages: [user('')] };
  const short = await api.create({ ...base, max_tokens: 3, temperature: 0.5, top_p: 0.9, seed: 7, ...({ top_k: 5 } as object) });
  expect(short.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: 'lon' } });
  const more = { min_p: 0.1, repetition_penalty: 1.2, ignore_eos: true } as object;
  await api.create({ ...base, top_p: 0, max_completion_tokens: 1000, presence_penalty: 1, frequency_penalty: -1, logit_bias: { 65: -5 }, ...more });
  const prompt = 1 + 'user:\n'.length;
  expect(bench.engine.requests.map(({ sampling, maxTokens, stopIds }) => ({ sampling, maxTokens, stopIds }))).toEqual([
    {
      sampling: {
        ...{ temperature: 0.5, topK: 5, topP: 0.9, minP: 0, seed: 7, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
        logitBias: [],
      },
      maxTokens: 3,
      stopIds: [256],
    },
    {
      sampling: {
        ...{ temperature: 0, topK: 0, topP: 1, minP: 0.1, repetitionPenalty: 1.2, presencePenalty: 1, frequencyPenalty: -1 },
        logitBias: [{ id: 65, bias: -5 }],
      },
      maxTokens: 20 - prompt,
      stopIds: [],
    },
  ]);
});

test('stop strings end the answer, in both presentations, and the engine with it', async () => {
  await using bench = await listen({ script: say(`one two STOP ${'x'.repeat(500)}`), stepMs: 1 });
  const api = client(bench.url).chat.completions;
  const base = { model: 'default', messages: [user('Hi')], stop: ['never', 'STOP'] };
  const plain = await api.create(base);
  expect(plain.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'one two ' } });
  expect(plain.usage?.completion_tokens).toBe('one two STOP'.length);
  const chunks = await collect(await api.create({ ...base, stream: true }));
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('one two ');
  await until(() => bench.engine.running === 0);
  expect(bench.engine.steps).toBeLessThan(100);
});

test.each([true, false])('a client that goes away stops its generation within one step (stream: %s)', async (stream) => {
  await using bench = await listen({ script: say('y'.repeat(3000)), stepMs: 3 });
  const abort = new AbortController();
  const request = client(bench.url).chat.completions.create({ model: 'default', messages: [user('Hi')], stream }, { signal: abort.signal });
  const reading = (async () => {
    const answer = await request;
    if (stream) for await (const _ of answer as AsyncIterable<unknown>);
  })().catch(() => 'aborted');
  await until(() => bench.engine.steps > 5);
  abort.abort();
  await reading;
  await until(() => bench.engine.running === 0);
  expect(bench.engine.aborts).toBe(1);
  expect(bench.engine.stepsAfterAbort).toBeLessThanOrEqual(1);
  await until(() => bench.lines.length > 0);
  expect(bench.lines.at(-1)).toContain('"finished":false');
});

test('a cancellation counts once, however often and by whomever it is asked for', async () => {
  const uses: Use[] = [];
  await using bench = await listen({ script: say('y'.repeat(3000)), stepMs: 3 }, {}, { settle: (use) => uses.push(use) });
  const abort = new AbortController();
  const asked = { model: 'default', messages: [user('Hi')] };
  const reading = client(bench.url)
    .chat.completions.create(asked, { signal: abort.signal })
    .catch(() => 'aborted');
  await until(() => bench.engine.steps > 5);
  abort.abort();
  abort.abort();
  expect(await reading).toBe('aborted');
  await until(() => bench.engine.running === 0);
  // What is no longer there is not cancelled again.
  bench.life.cut();
  await until(() => uses.length > 0);
  expect([bench.engine.aborts, uses.map(({ ending }) => ending), bench.life.running]).toEqual([1, ['cancelled'], 0]);
});

test('the client sees the error classes that it knows', async () => {
  await using bench = await listen({ places: 1, stepMs: 20, script: say('z'.repeat(100)), info: { contextLength: 200 } });
  const api = client(bench.url);
  const base = { model: 'default', messages: [user('Hi')] };
  await expect(api.chat.completions.create({ ...base, temperature: 3 })).rejects.toThrow(OpenAI.BadRequestError);
  await expect(api.chat.completions.create({ ...base, model: 'gpt-4o' })).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
  await expect(api.chat.completions.create({ ...base, messages: [user('x'.repeat(200))] })).rejects.toMatchObject({
    status: 400,
    code: 'context_length_exceeded',
    param: 'messages',
  });
  const stream = await api.chat.completions.create({ ...base, stream: true });
  const refusal = await api.chat.completions.create(base).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(OpenAI.RateLimitError);
  expect((refusal as InstanceType<typeof OpenAI.RateLimitError>).headers?.get('retry-after')).toBe('2');
  stream.controller.abort();
});

test('logits that are no numbers are a 500 for that request alone', async () => {
  await using bench = await listen({ script: say('fine'), failAt: { index: 0, error: new InwardError('logits_invalid') } });
  const api = client(bench.url).chat.completions;
  const base = { model: 'default', messages: [user('Hi')] };
  await expect(api.create(base)).rejects.toMatchObject({ status: 500, code: 'internal_error' });
  expect(bench.lines.filter((line) => line.includes('"code":"logits_invalid"'))).toHaveLength(1);
  expect((await fetch(`${bench.url}/ready`)).status).toBe(200);
});

test('an engine failure is a 500 that says nothing of it, and an error frame inside a stream', async () => {
  await using bench = await listen({ failAt: { index: 2, error: new Error('secret detail') } });
  const api = client(bench.url).chat.completions;
  const base = { model: 'default', messages: [user('Hi')] };
  await expect(api.create(base)).rejects.toMatchObject({ status: 500, code: 'internal_error', type: 'server_error' });
  const stream = await api.create({ ...base, stream: true });
  let seen = '';
  const failure = await (async () => {
    for await (const chunk of stream) seen += chunk.choices[0]?.delta.content ?? '';
  })().catch((error: unknown) => error);
  expect(seen).toBe('He');
  expect(failure).toBeInstanceOf(OpenAI.APIError);
  expect(String(failure)).not.toContain('secret');
  expect(bench.lines.filter((line) => line.includes('"event":"failure"'))).toHaveLength(2);
  expect(bench.lines.join('')).not.toContain('secret');
});

test('a template that refuses is the client’s error', async () => {
  await using bench = await listen();
  bench.text.failure = new InwardError('template_failed');
  await expect(client(bench.url).chat.completions.create({ model: 'default', messages: [user('Hi')] })).rejects.toMatchObject({
    status: 400,
    code: 'rejected',
  });
});

test('models', async () => {
  await using bench = await listen();
  const api = client(bench.url).models;
  const list = await collect(await api.list());
  expect(list.map(({ id, object, owned_by }) => ({ id, object, owned_by }))).toEqual([{ id: 'fake-model', object: 'model', owned_by: 'inward' }]);
  expect(await api.retrieve('default')).toEqual(list[0]);
  await expect(api.retrieve('other/model')).rejects.toThrow(OpenAI.NotFoundError);
});
