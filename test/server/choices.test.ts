/** Several choices at once: the client's n, their seeds, their order, what one failure does to the others. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import fc from 'fast-check';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import type { GenerateRequest } from '../../runtime/types.ts';
import { endId, say } from '../fake-text.ts';
import { type Bench, collect, listen, until, user } from './help.ts';

const client = (url: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const base = { model: 'default', messages: [user('Hi')] };
const seedOf = ({ sampling }: GenerateRequest): number => sampling?.seed ?? -1;

/** Of chats: nothing was kept from before, and nobody thought. */
const details = { prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 0 } };

test('n choices, each with a seed of its own, all at once; the prompt counts once', async () => {
  await using bench = await listen({ script: (_, request) => say(`seed ${seedOf(request)}`)(), stepMs: 1 });
  const answer = await client(bench.url).chat.completions.create({ ...base, n: 3, seed: 4_294_967_294 });
  expect(answer.choices.map(({ index, message, finish_reason }) => [index, message.content, finish_reason])).toEqual([
    [0, 'seed 4294967294', 'stop'],
    [1, 'seed 4294967295', 'stop'],
    [2, 'seed 0', 'stop'],
  ]);
  expect(bench.engine.peak).toBe(3);
  expect(answer.usage).toEqual({ prompt_tokens: 9, completion_tokens: 16 + 16 + 7, total_tokens: 9 + 39, ...details });
  expect(JSON.parse(bench.lines[0] ?? '{}')).toMatchObject({ promptTokens: 16, completionTokens: 64 });
});

test('without a seed the engine draws one for each choice', async () => {
  await using bench = await listen();
  await client(bench.url).chat.completions.create({ ...base, n: 2 });
  expect(bench.engine.requests.map(({ sampling }) => sampling?.seed)).toEqual([undefined, undefined]);
});

test('a stream of several choices: a beginning and an end for each, usage once', async () => {
  await using bench = await listen({ script: (_, request) => say('x'.repeat(seedOf(request)))() });
  const stream = await client(bench.url).chat.completions.create({ ...base, n: 3, seed: 2, stream: true, stream_options: { include_usage: true } });
  const chunks = await collect(stream);
  const of = (index: number) => chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
  for (const index of [0, 1, 2]) {
    expect(of(index)[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(
      of(index)
        .map(({ delta }) => delta.content ?? '')
        .join(''),
    ).toBe('x'.repeat(index + 2));
    expect(of(index).map(({ finish_reason }) => finish_reason)).toEqual([...Array(index + 3).fill(null), 'stop']);
  }
  expect(chunks.flatMap(({ usage }) => usage ?? [])).toEqual([{ prompt_tokens: 9, completion_tokens: 3 + 4 + 5, total_tokens: 21, ...details }]);
});

test.each([true, false])('a queue that is full for one choice refuses all, and cancels what had begun (stream: %s)', async (stream) => {
  await using bench = await listen({ places: 2, stepMs: 2, script: say('x'.repeat(500)) });
  const refusal = await client(bench.url)
    .chat.completions.create({ ...base, n: 3, stream })
    .catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(OpenAI.RateLimitError);
  await until(() => bench.engine.running === 0);
  expect(bench.engine.aborts).toBe(2);
  expect(bench.engine.stepsAfterAbort).toBeLessThanOrEqual(2);
});

test('a request that is larger than the queue takes its places bit by bit', async () => {
  await using bench = await listen({ places: 6, info: { maxSequences: 3 }, script: (ids) => [...ids.slice(-1), endId], stepMs: 1 });
  const prompts = Array.from({ length: 64 }, (_, index) => [1, index]);
  const { choices } = await client(bench.url).completions.create({ model: 'default', prompt: prompts, n: 2 });
  expect(choices.map(({ text }) => text)).toEqual(prompts.flatMap(([, id]) => Array(2).fill(String.fromCharCode(id ?? 0))));
  expect(bench.engine.peak).toBe(6);
});

test('a choice that fails ends the stream with one error and cancels the others', async () => {
  const failure = { index: 1, error: new Error('broken') };
  await using bench = await listen({ stepMs: 1, script: (_, request) => (seedOf(request) === 1 ? [65, 66] : Array(500).fill(65)), failAt: failure });
  const stream = await client(bench.url).chat.completions.create({ ...base, n: 2, seed: 0, stream: true });
  await expect(collect(stream)).rejects.toThrow(OpenAI.APIError);
  await until(() => bench.engine.running === 0);
});

test('a client that goes away cancels every choice', async () => {
  await using bench = await listen({ stepMs: 2, script: say('x'.repeat(2000)) });
  const stream = await client(bench.url).chat.completions.create({ ...base, n: 4, stream: true });
  await until(() => bench.engine.steps > 8);
  stream.controller.abort();
  await until(() => bench.engine.running === 0);
  expect(bench.engine.aborts).toBe(4);
});

interface Chunk {
  readonly choices: readonly { readonly index: number; readonly text: string; readonly logprobs: Logprobs | null; readonly finish_reason: string | null }[];
}
type Logprobs = Readonly<Record<'tokens' | 'token_logprobs' | 'top_logprobs' | 'text_offset', readonly unknown[]>>;

async function post(bench: Bench, body: object): Promise<string> {
  const response = await bench.app.inject({ method: 'POST', url: '/v1/completions', payload: body });
  expect(response.statusCode).toBe(200);
  return response.body;
}

const parseFrames = (body: string): Chunk[] =>
  body
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: {'))
    .map((frame) => JSON.parse(frame.slice('data: '.length)) as Chunk);

/** What a client that adds chunks up has at the end. */
function addUp(chunks: readonly Chunk[], count: number): object[] {
  return Array.from({ length: count }, (_, index) => {
    const mine = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
    const keys = ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'] as const;
    const scored = mine.flatMap(({ logprobs }) => logprobs ?? []);
    const logprobs = scored.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, scored.flatMap((entry) => [...entry[key]])]));
    return { text: mine.map(({ text }) => text).join(''), index, logprobs, finish_reason: mine.at(-1)?.finish_reason };
  });
}

test('a stream adds up to the plain answer: all choices, texts, tokens and offsets', async () => {
  const byte = fc.constantFrom(...Buffer.from('aabé€'), 0xff, endId, 258);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(byte, { maxLength: 12 }), { minLength: 1, maxLength: 3 }),
      fc.record({
        prompt: fc.array(fc.constantFrom('ab', '', 'é', 'STOP'), { minLength: 1, maxLength: 3 }),
        stop: fc.array(fc.constantFrom('ab', 'b', 'é€', '€'), { minLength: 1, maxLength: 2 }),
        logprobs: fc.constantFrom(null, 0, 2),
        echo: fc.boolean(),
        ignore_eos: fc.boolean(),
        max_tokens: fc.nat(14),
      }),
      async (scripts, fields) => {
        await using bench = await listen({ script: (_, request) => scripts[seedOf(request)] ?? [] });
        const body = { model: 'default', n: scripts.length, seed: 0, ...fields, max_tokens: fields.echo ? fields.max_tokens : fields.max_tokens + 1 };
        const plain = JSON.parse(await post(bench, body)) as { choices: object[] };
        expect(plain.choices).toHaveLength(scripts.length * fields.prompt.length);
        expect(addUp(parseFrames(await post(bench, { ...body, stream: true })), plain.choices.length)).toEqual(plain.choices);
      },
    ),
    { numRuns: 60, seed: 9 },
  );
});

test('a client that reads slowly holds its own choices up, and gets every chunk in order', async () => {
  const length = 5000;
  const text = 'abcdefghijk'.repeat(length).slice(0, length);
  await using bench = await listen({ info: { contextLength: 2 * length }, script: () => [...Buffer.from(text)] });
  const body = JSON.stringify({ ...base, n: 2, stream: true, logprobs: true, top_logprobs: 20 });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest(`${bench.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    request.on('response', resolve).on('error', reject).end(body);
  });
  // Nobody reads: the sockets fill up, then nothing more is taken.
  let before = -1;
  for (let tries = 0; tries < 200 && before !== bench.engine.delivered; tries++) {
    before = bench.engine.delivered;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(bench.engine.delivered).toBe(before);
  expect(before).toBeLessThan(2 * length);

  let received = '';
  for await (const part of response.setEncoding('utf8')) received += part;
  const frames = received.split('\n\n').filter((frame) => frame.startsWith('data: {'));
  const texts = ['', ''];
  const tokens = [0, 0];
  for (const frame of frames) {
    const { choices } = JSON.parse(frame.slice('data: '.length)) as {
      choices: { index: number; delta: { content?: string }; logprobs?: { content: object[] } }[];
    };
    for (const { index, delta, logprobs } of choices) {
      texts[index] += delta.content ?? '';
      tokens[index] = (tokens[index] ?? 0) + (logprobs?.content.length ?? 0);
    }
  }
  expect(texts.map((one) => one === text)).toEqual([true, true]);
  expect(tokens).toEqual([length, length]);
  expect(received.endsWith('data: [DONE]\n\n')).toBe(true);
});
