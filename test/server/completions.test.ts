/** The older API, through the official client and as evaluation harnesses use it. */
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { scoreToken } from '../fake-engine.ts';
import { endId, say, silentId } from '../fake-text.ts';
import { type Bench, collect, listen, until } from './help.ts';

const client = (url: string): OpenAI.Completions => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }).completions;
const model = 'default';
const bytes = (text: string): number[] => [...Buffer.from(text)];
const logits = (ids: readonly number[]): Float32Array => Float32Array.from({ length: 300 }, (_, id) => ((id * 37 + (ids.at(-1) ?? 0)) % 101) / 10);

async function post(bench: Bench, body: object, headers: Record<string, string> = {}): Promise<{ status: number; body: Answer }> {
  const response = await bench.app.inject({ method: 'POST', url: '/v1/completions', payload: { model, ...body }, headers });
  return { status: response.statusCode, body: response.json<Answer>() };
}

interface Answer {
  readonly choices: readonly {
    readonly text: string;
    readonly index: number;
    readonly finish_reason: string;
    readonly logprobs: {
      readonly tokens: readonly string[];
      readonly token_logprobs: readonly (number | null)[];
      readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
      readonly text_offset: readonly number[];
    } | null;
  }[];
  readonly usage: object;
  readonly error?: { readonly code: string; readonly param: string; readonly message: string };
}

test('a plain answer', async () => {
  await using bench = await listen({ script: say(' world and everything in it') });
  const answer = await client(bench.url).create({ model, prompt: 'Hello' });
  expect(answer).toEqual({
    id: expect.stringMatching(/^cmpl-[\w-]{24}$/),
    object: 'text_completion',
    created: expect.any(Number),
    model: 'fake-model',
    system_fingerprint: null,
    choices: [{ text: ' world and every', index: 0, logprobs: null, finish_reason: 'length' }],
    // 1 start token + "Hello"; the default limit of 16
    usage: { prompt_tokens: 6, completion_tokens: 16, total_tokens: 22, prompt_tokens_details: { cached_tokens: 0 } },
  });
  expect(bench.engine.requests[0]?.promptIds).toEqual(Uint32Array.from([257, ...bytes('Hello')]));
  expect(bench.text.texts).toEqual(['Hello']);
});

test('a stream: text as it comes, then the reason, then usage', async () => {
  await using bench = await listen({ script: say('a€') });
  const stream = await client(bench.url).create({ model, prompt: 'x', stream: true, stream_options: { include_usage: true } });
  const chunks = await collect(stream);
  expect(chunks.map(({ choices }) => choices[0]?.text)).toEqual(['a', '€', '', undefined]);
  expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, 'stop', undefined]);
  expect(chunks.every(({ object }) => object === 'text_completion')).toBe(true);
  expect(chunks.at(-1)?.usage).toEqual({ prompt_tokens: 2, completion_tokens: 5, total_tokens: 7, prompt_tokens_details: { cached_tokens: 0 } });
});

test('prompts of every kind, n choices of each, in order', async () => {
  await using bench = await listen({ script: (ids, { sampling }) => [...ids.slice(-1), 48 + (sampling?.seed ?? 0), endId] });
  const texts = async (prompt: OpenAI.CompletionCreateParams['prompt']): Promise<string[]> => {
    const { choices } = await client(bench.url).create({ model, prompt, n: 2, seed: 0 });
    expect(choices.map(({ index }) => index)).toEqual([...choices.keys()]);
    return choices.map(({ text }) => text);
  };
  expect(await texts('ab')).toEqual(['b0', 'b1']);
  expect(await texts(['ab', 'cd', 'ef'])).toEqual(['b0', 'b1', 'd0', 'd1', 'f0', 'f1']);
  expect(await texts([97, 98])).toEqual(['b0', 'b1']);
  expect(await texts([[97, 98], [99]])).toEqual(['b0', 'b1', 'c0', 'c1']);
  expect(bench.engine.requests.slice(-4).map(({ promptIds }) => [...promptIds])).toEqual([[97, 98], [97, 98], [99], [99]]);
  const { usage } = await client(bench.url).create({ model, prompt: [[97, 98], [99]], n: 2, seed: 0 });
  expect(usage).toEqual({ prompt_tokens: 3, completion_tokens: 12, total_tokens: 15, prompt_tokens_details: { cached_tokens: 0 } });
});

test('fields reach the engine', async () => {
  await using bench = await listen();
  const sampling = { temperature: 0.5, top_p: 0.9, presence_penalty: -2, frequency_penalty: 1.5, logit_bias: { 0: -100, 299: 1.5 }, seed: 7 };
  const more = { top_k: 5, min_p: 0.1, repetition_penalty: 1.1, ignore_eos: true };
  await client(bench.url).create({ model, prompt: 'a', best_of: 1, suffix: null, user: 'u', max_tokens: 5, ...sampling, ...more });
  expect(bench.engine.requests[0]).toEqual({
    promptIds: Uint32Array.from([257, 97]),
    maxTokens: 5,
    tenant: 0,
    priority: 'interactive',
    keepsPrefix: true,
    stopIds: [],
    sampling: {
      ...{ temperature: 0.5, topK: 5, topP: 0.9, minP: 0.1, seed: 7, repetitionPenalty: 1.1, presencePenalty: -2, frequencyPenalty: 1.5 },
      logitBias: [
        { id: 0, bias: -100 },
        { id: 299, bias: 1.5 },
      ],
    },
  });
});

test('ignore_eos goes on behind the end of the text', async () => {
  await using bench = await listen({ script: () => [97, endId, 98] });
  const answer = await client(bench.url).create({ model, prompt: 'x', ...({ ignore_eos: true } as object) });
  expect(answer.choices[0]).toMatchObject({ text: 'ab', finish_reason: 'length' });
});

test('log-probabilities of the answer: entries for all tokens, the end too; offsets count characters', async () => {
  await using bench = await listen({ script: () => [...bytes('😀a'), silentId, 98, endId] });
  const { body } = await post(bench, { prompt: 'x', logprobs: 0 });
  expect(body.choices[0]?.text).toBe('😀ab');
  const { tokens, text_offset, token_logprobs, top_logprobs } = body.choices[0]?.logprobs ?? {};
  expect(tokens).toEqual(['bytes:\\xf0', 'bytes:\\x9f', 'bytes:\\x98', 'bytes:\\x80', 'a', '<|silent|>', 'b', '<|end|>']);
  expect(text_offset).toEqual([0, 0, 0, 0, 1, 2, 2, 3]);
  // With 0 alternatives the token alone
  expect(top_logprobs).toEqual(tokens?.map((token, index) => ({ [token]: token_logprobs?.[index] })));
});

test('the token itself is among the alternatives, likeliest first; of tokens with one name the likeliest', async () => {
  // 258 the likeliest, then 259 to 261, none of which has a name; 97 far behind.
  const favour = () => Float32Array.from({ length: 300 }, (_, id) => (id === 258 ? 9 : id > 258 && id < 262 ? 8 : id === 97 ? 1 : 0));
  await using bench = await listen({ script: () => [97], logits: favour });
  const { body } = await post(bench, { prompt: 'x', logprobs: 2, max_tokens: 1 });
  const top = body.choices[0]?.logprobs?.top_logprobs[0] ?? {};
  expect(Object.keys(top)).toEqual(['<|silent|>', '<|259|>', 'a']);
  expect(Object.values(top)).toEqual([...scoreToken(favour(), 97, 2).top.map(({ logprob }) => logprob), body.choices[0]?.logprobs?.token_logprobs[0]]);
});

test('tokens that are named like a part of JavaScript, and like each other', async () => {
  await using bench = await listen({ logits });
  bench.text.readPiece = (id) => ({ bytes: Buffer.from(id === 97 ? '__proto__' : `t${id}`), isText: true });
  const body = { prompt: [97, 97, 97], echo: true, max_tokens: 0, logprobs: 1 };
  expect((await post(bench, body)).body.choices[0]?.logprobs?.tokens).toEqual(['__proto__', '__proto__', '__proto__']);
  bench.text.readPiece = () => ({ bytes: Buffer.from('__proto__'), isText: true });
  const { top, logprob } = scoreToken(logits([97]), 97, 1);
  const top_logprobs = (await post(bench, body)).body.choices[0]?.logprobs?.top_logprobs[1];
  expect(Object.entries(top_logprobs ?? {})).toEqual([['__proto__', top[0]?.logprob]]);
  expect(logprob).toBeLessThan(top[0]?.logprob ?? Number.NaN);
});

test('echo puts the prompt before each answer, without the start token that the tokenizer added', async () => {
  await using bench = await listen({ script: say('!'), logits });
  const { body } = await post(bench, { prompt: ['Hé', ''], n: 2, echo: true, logprobs: 1 });
  expect(body.choices.map(({ text }) => text)).toEqual(['Hé!', 'Hé!', '!', '!']);
  const { tokens, text_offset, token_logprobs } = body.choices[0]?.logprobs ?? {};
  expect(tokens).toEqual(['H', 'bytes:\\xc3', 'bytes:\\xa9', '!', '<|end|>']);
  expect(text_offset).toEqual([0, 1, 1, 2, 3]);
  // The start token predicts the first one.
  expect(token_logprobs?.[0]).toBe(scoreToken(logits([257]), 72, 0).logprob);
});

test('echo without log-probabilities asks the engine for none; a prompt may spell a stop string', async () => {
  await using bench = await listen({ script: say('a STOP b') });
  const { body } = await post(bench, { prompt: 'STOP', echo: true, stop: 'STOP' });
  expect(body.choices[0]).toMatchObject({ text: 'STOPa ', logprobs: null, finish_reason: 'stop' });
  expect(bench.engine.requests[0]).not.toHaveProperty('promptLogprobs');
});

/** How evaluation harnesses read a score: lm-evaluation-harness, api_models and openai_completions. */
function readScore(logprobs: NonNullable<Answer['choices'][number]['logprobs']>, contextLength: number, end: number | undefined): [number, boolean] {
  const scores = logprobs.token_logprobs.slice(contextLength, end);
  const isGreedy = scores.every((score, index) => score === Math.max(...Object.values(logprobs.top_logprobs.slice(contextLength, end)[index] ?? {})));
  return [scores.reduce<number>((sum, score) => sum + (score as number), 0), isGreedy];
}

test.each([
  [0, undefined],
  [1, -1],
])('token ids are scored as evaluation harnesses do it, with max_tokens %i', async (maxTokens, end) => {
  await using bench = await listen({ script: () => [endId], logits });
  const likeliest = (context: readonly number[]): number => scoreToken(logits(context), 0, 1).top[0]?.id as number;
  const greedy = [97, likeliest([97])];
  greedy.push(likeliest(greedy));
  const prompts = [[97, 98, 99, 100], greedy, [257, 97]];
  const { body } = await post(bench, { prompt: prompts, echo: true, max_tokens: maxTokens, logprobs: 1, temperature: 0, seed: 1234 });
  for (const [index, ids] of prompts.entries()) {
    const { logprobs, finish_reason } = body.choices[index] ?? {};
    // One entry for each id that was sent, and for the token that was made, though it ends the text.
    expect(logprobs?.token_logprobs).toHaveLength(ids.length + maxTokens);
    expect([logprobs?.token_logprobs[0], logprobs?.top_logprobs[0]]).toEqual([null, null]);
    const expected = ids.slice(1).map((id, position) => scoreToken(logits(ids.slice(0, position + 1)), id, 0).logprob);
    const [score, isGreedy] = readScore(logprobs as NonNullable<typeof logprobs>, 1, end);
    expect(score).toBeCloseTo(
      expected.reduce((a, b) => a + b),
      10,
    );
    expect(isGreedy).toBe(index === 1);
    expect(finish_reason).toBe(maxTokens === 0 ? 'length' : 'stop');
  }
  expect(body.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: maxTokens * 3 });
});

test('a prompt may fill the context when nothing is to be made', async () => {
  await using bench = await listen({ info: { contextLength: 5 } });
  expect((await post(bench, { prompt: [1, 2, 3, 4, 5], echo: true, max_tokens: 0 })).status).toBe(200);
  const { status, body } = await post(bench, { prompt: [[1], [1, 2, 3, 4, 5]], echo: true, max_tokens: 1 });
  expect([status, body.error?.code, body.error?.param]).toEqual([400, 'context_length_exceeded', 'prompt']);
  expect(bench.engine.requests).toHaveLength(1);
});

test('a score of 4,000 tokens with 20 alternatives does not hold other requests up', async () => {
  await using bench = await listen({ logits: () => flat });
  const flat = Float32Array.from({ length: 300 }, (_, id) => id / 300);
  const prompt = Array.from({ length: 4000 }, (_, index) => 97 + (index % 26));
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const { body } = await post(bench, { prompt, echo: true, max_tokens: 0, logprobs: 20 });
  clearInterval(timer);
  expect(body.choices[0]?.logprobs?.text_offset).toEqual([...prompt.keys()]);
  expect(body.choices[0]?.logprobs?.top_logprobs.slice(1).every((top) => Object.keys(top ?? {}).length >= 20)).toBe(true);
  // 84,000 numbers take some 50 ms; the bound is for a busy machine.
  expect(longest).toBeLessThan(1000);
});

test('a deadline reaches the engine; one that passes is a 504 of its own', async () => {
  await using bench = await listen({ stepMs: 5, script: say('x'.repeat(1000)) });
  const late = await post(bench, { prompt: 'a', max_tokens: 1000 }, { 'x-inward-deadline-ms': '60' });
  expect([late.status, late.body.error?.code, late.body.error?.param]).toEqual([504, 'deadline_exceeded', null]);
  const { deadlineMs } = bench.engine.requests[0] ?? {};
  expect(deadlineMs).toBeGreaterThan(0);
  expect(deadlineMs).toBeLessThanOrEqual(60);
  await until(() => bench.engine.running === 0);
  const stream = await client(bench.url).create({ model, prompt: 'a', max_tokens: 1000, stream: true }, { headers: { 'x-inward-deadline-ms': '60' } });
  let seen = '';
  const failure = await (async () => {
    for await (const chunk of stream) seen += chunk.choices[0]?.text ?? '';
  })().catch((error: unknown) => error);
  expect(seen.length).toBeGreaterThan(0);
  expect(failure).toMatchObject({ code: 'deadline_exceeded' });
  expect(bench.lines.join('')).not.toContain('"event":"failure"');
  const enough = await post(bench, { prompt: 'a', max_tokens: 2 }, { 'x-inward-deadline-ms': '3600000' });
  expect(enough.status).toBe(200);
});

test('a deadline that passes while the prompt is made into tokens', async () => {
  await using bench = await listen();
  const encode = bench.text.encode.bind(bench.text);
  bench.text.encode = async (text) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    return encode(text);
  };
  expect((await post(bench, { prompt: 'a' }, { 'x-inward-deadline-ms': '10' })).status).toBe(504);
  expect(bench.engine.requests).toHaveLength(0);
});
