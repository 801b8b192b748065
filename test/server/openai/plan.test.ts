/** The ids of a prompt are overwritten once nobody needs them, however the request has ended. */
import { expect, test } from 'vitest';
import { type Bench, collect, listen, until, user } from '../help.ts';

async function post(bench: Bench, path: 'completions' | 'chat/completions', body: object, headers: Record<string, string> = {}): Promise<number> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ model: 'default', ...body }) };
  const answer = await fetch(`${bench.url}/v1/${path}`, init);
  if (answer.body !== null) await collect(answer.body);
  return answer.status;
}

/** All that the text side has given, and all that the engine got. */
function held({ engine, text }: Bench): number[] {
  return [...engine.prompts, ...text.given].flatMap((ids) => [...ids]).filter((id) => id !== 0);
}

test.each([
  ['an answer', 200, { prompt: ['abc', 'def'], n: 2 }],
  ['a stream', 200, { prompt: 'abc', stream: true }],
  ['an answer that repeats its prompt', 200, { prompt: 'abc', echo: true, logprobs: 2, max_tokens: 0 }],
  ['ids', 200, { prompt: [97, 98] }],
  ['ids that the model does not have', 400, { prompt: [[97, 98], [5000]] }],
  ['a prompt that is too long, behind one that is not', 400, { prompt: ['abc', 'x'.repeat(20_000)] }],
] as const)('%s', async (_, status, body) => {
  await using bench = await listen();
  expect(await post(bench, 'completions', body)).toBe(status);
  await until(() => held(bench).length === 0);
  expect(bench.engine.prompts.length + bench.text.given.length).toBeGreaterThan(status === 200 || typeof body.prompt[0] === 'string' ? 0 : -1);
});

test('a client that leaves a stream', async () => {
  await using bench = await listen({ stepMs: 5 });
  const leave = new AbortController();
  const body = JSON.stringify({ model: 'default', messages: [user('abc')], stream: true });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: leave.signal };
  const answer = await fetch(`${bench.url}/v1/chat/completions`, init);
  await answer.body?.getReader().read();
  expect(held(bench).length).toBeGreaterThan(0);
  leave.abort();
  await until(() => held(bench).length === 0);
});

test('a text side that answers after the deadline', async () => {
  await using bench = await listen();
  const { promise, resolve } = Promise.withResolvers<void>();
  const encode = bench.text.encode.bind(bench.text);
  bench.text.encode = async (text, options) => {
    const ids = await encode(text, options);
    await promise;
    return ids;
  };
  expect(await post(bench, 'completions', { prompt: 'abc' }, { 'x-inward-deadline-ms': '20' })).toBe(504);
  expect(held(bench).length).toBeGreaterThan(0);
  resolve();
  await until(() => held(bench).length === 0);
});
