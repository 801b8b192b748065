/** Log-probabilities of chat answers, through the official client. */
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { scoreToken } from '../fake-engine.ts';
import { endId, say, silentId } from '../fake-text.ts';
import { collect, listen, user } from './help.ts';

const client = (url: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const base = { model: 'default', messages: [user('Hi')], logprobs: true };

/** Logits by the last id, so that a test can say what they are. */
const logits = (ids: readonly number[]): Float32Array => Float32Array.from({ length: 300 }, (_, id) => ((id * 37 + (ids.at(-1) ?? 0)) % 101) / 10);
const prompt = [257, ...Buffer.from('user:Hi\n')];

test('each token of the content with its probability, bytes and alternatives; the one that ends it is not part of it', async () => {
  await using bench = await listen({ script: say('ab'), logits });
  const answer = await client(bench.url).chat.completions.create({ ...base, top_logprobs: 2 });
  const expected = [0x61, 0x62].map((id, index) => {
    const { logprob, top } = scoreToken(logits([...prompt, 0x61].slice(0, prompt.length + index)), id, 2);
    const show = (other: number, value: number) => ({ token: String.fromCharCode(other), logprob: value, bytes: [other] });
    return { ...show(id, logprob), top_logprobs: top.map((entry) => expect.objectContaining({ logprob: entry.logprob })) };
  });
  expect(answer.choices[0]?.logprobs).toEqual({ content: expected, refusal: null });
  expect(bench.engine.requests[0]).toMatchObject({ logprobs: 2 });
  expect(bench.engine.requests[0]?.promptLogprobs).toBeUndefined();
});

test('how tokens are named: by text, by bytes where they are no whole characters, by name where they have no text', async () => {
  const chosen = [0xe2, 0x82, 0xac, silentId, 0x0a, 270, endId];
  await using bench = await listen({ script: () => chosen });
  const { choices } = await client(bench.url).chat.completions.create(base);
  expect(choices[0]?.message.content).toBe('€\n');
  expect(choices[0]?.logprobs?.content?.map(({ token, bytes, top_logprobs }) => [token, bytes, top_logprobs])).toEqual([
    ['\\xe2', [0xe2], []],
    ['\\x82', [0x82], []],
    ['\\xac', [0xac], []],
    ['<|silent|>', null, []],
    ['\n', [10], []],
    ['<|270|>', null, []],
  ]);
});

test('in a stream tokens come with the chunk that has their text', async () => {
  await using bench = await listen({ script: say('a€STx') });
  const chunks = await collect(await client(bench.url).chat.completions.create({ ...base, stop: 'STOP', stream: true }));
  const seen = chunks.flatMap(({ choices }) => choices.map(({ delta, logprobs }) => [delta.content, logprobs?.content?.map(({ token }) => token)]));
  expect(seen).toEqual([
    ['', undefined],
    ['a', ['a']],
    ['€', ['\\xe2', '\\x82', '\\xac']],
    ['STx', ['S', 'T', 'x']],
    [undefined, undefined],
  ]);
});

test('tokens of a stop string are not reported', async () => {
  await using bench = await listen({ script: say('one STOP two') });
  const { choices, usage } = await client(bench.url).chat.completions.create({ ...base, stop: ['never', 'STOP'] });
  expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'one ' } });
  expect(choices[0]?.logprobs?.content?.map(({ token }) => token).join('')).toBe('one ');
  expect(usage?.completion_tokens).toBe('one STOP'.length);
});

test('without logprobs there are none, and the engine is not asked', async () => {
  await using bench = await listen();
  const { choices } = await client(bench.url).chat.completions.create({ ...base, logprobs: false, top_logprobs: 0 });
  expect(choices[0]?.logprobs).toBeNull();
  expect(bench.engine.requests[0]?.logprobs).toBeUndefined();
});

test('the stream helper of the client puts them together', async () => {
  await using bench = await listen({ script: say('a€b') });
  const api = client(bench.url).chat.completions;
  const streamed = await api.stream({ ...base, top_logprobs: 3 }).finalChatCompletion();
  const plain = await api.create({ ...base, top_logprobs: 3 });
  expect(streamed.choices[0]?.logprobs?.content).toEqual(plain.choices[0]?.logprobs?.content);
  expect(streamed.choices[0]?.message.content).toBe('a€b');
});
