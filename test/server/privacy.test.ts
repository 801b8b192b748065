import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeEngine } from '../fake-engine.ts';
import { say } from '../fake-text.ts';
import { type Bench, listen, rawPost, talk, until, user } from './help.ts';

/** What a leak would look like; letters only, so that no encoding on the way can hide it. */
const marker = `Marker${randomBytes(12).toString('hex')}`;
let bench: Bench;
let printed: string[];

beforeEach(async () => {
  printed = [];
  const capture = (chunk: unknown): boolean => {
    printed.push(String(chunk));
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(capture);
  vi.spyOn(process.stderr, 'write').mockImplementation(capture);
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const) vi.spyOn(console, name).mockImplementation(capture);
  bench = await listen({}, { bodyLimit: 4096, requestTimeoutMs: 300 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await bench.app.close();
});

const json = { 'content-type': 'application/json' };
const base = { model: 'default', messages: [user('Hi')] };
const completions = '/v1/completions';
const messages = '/v1/messages';
const responses = '/v1/responses';
const anthropic = { ...base, max_tokens: 5 };
/** A turn that calls a tool. */
const calling = (json: string) => ({
  role: 'assistant',
  reasoning_content: marker,
  tool_calls: [{ id: marker, type: 'function', function: { name: marker, arguments: json } }],
});
const send = (body: unknown, path = '/v1/chat/completions', headers: Record<string, string> = json): Promise<Response> =>
  fetch(`${bench.url}${path}`, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

async function expectSilence(status: number, response: Response | string): Promise<void> {
  const text = typeof response === 'string' ? response : `${JSON.stringify([...response.headers])} ${await response.text()}`;
  if (typeof response === 'string') expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  else expect(response.status).toBe(status);
  await until(() => bench.lines.length > 0);
  expect([...bench.lines, ...printed, text, await scrape()].join('\n')).not.toContain(marker);
}

async function scrape(): Promise<string> {
  const response = await fetch(`${bench.url}/metrics`);
  expect(response.status).toBe(200);
  return response.text();
}

const places: readonly (readonly [string, number, () => Promise<Response | string>])[] = [
  ['a prompt', 200, () => send({ ...base, messages: [user(marker)], stop: marker, user: marker, metadata: { [marker]: marker } })],
  ['a prompt of a stream', 200, () => send({ ...base, messages: [{ ...user(marker), name: marker }], stream: true })],
  ['a prompt of completions', 200, () => send({ model: 'default', prompt: marker, stop: marker, user: marker }, completions)],
  ['prompts of a stream of choices', 200, () => send({ model: 'default', prompt: [marker, marker], n: 2, stream: true, logprobs: 2 }, completions)],
  ['a deadline', 400, () => send(base, undefined, { ...json, 'x-inward-deadline-ms': marker })],
  ['no cache', 400, () => send(base, undefined, { ...json, 'x-inward-no-cache': marker })],
  ['a salt', 200, () => send({ ...base, cache_salt: marker, n: 2 })],
  ['a salt of a stream', 200, () => send({ model: 'default', prompt: 'a', cache_salt: marker, stream: true }, completions)],
  ['a salt too long', 400, () => send({ ...base, cache_salt: marker.repeat(10) })],
  ['a tier', 400, () => send({ ...base, service_tier: marker })],
  ['a priority', 400, () => send({ ...base, priority: marker })],
  ['best_of', 400, () => send({ model: 'default', prompt: 'a', best_of: marker }, completions)],
  ['a token of logit_bias', 400, () => send({ ...base, logit_bias: { [marker]: 1 } })],
  ['a value of logit_bias', 400, () => send({ ...base, logit_bias: { 1: marker } })],
  ['a suffix', 400, () => send({ model: 'default', prompt: marker, suffix: marker }, completions)],
  ['a prompt of another type', 400, () => send({ model: 'default', prompt: { [marker]: marker } }, completions)],
  ['text among token ids', 400, () => send({ model: 'default', prompt: [1, marker] }, completions)],
  ['a key of completions', 400, () => send({ model: 'default', prompt: marker, [marker]: marker }, completions)],
  ['too many choices', 400, () => send({ model: 'default', prompt: Array(100).fill(marker), n: 2 }, completions)],
  ['a query', 200, () => send(base, `/v1/chat/completions?key=${marker}`)],
  [
    'a header',
    200,
    () => send(base, undefined, { ...json, 'x-patient': marker, authorization: `Bearer ${marker}`, 'x-request-id': marker, 'user-agent': marker }),
  ],
  ['a path', 404, () => send(base, `/v1/${marker}`)],
  ['a broken path', 404, () => talk(bench.port, `GET /%zz${marker} HTTP/1.1\r\nhost: ${marker}\r\nconnection: close\r\n\r\n`)],
  ['a model in the path', 404, () => fetch(`${bench.url}/v1/models/${marker}`)],
  ['a long model in the path', 404, () => fetch(`${bench.url}/v1/models/${marker.repeat(10)}`)],
  ['a method', 400, () => talk(bench.port, `${marker} / HTTP/1.1\r\n\r\n`)],
  ['a method that is not taken', 405, () => fetch(`${bench.url}/v1/models?${marker}`, { method: 'DELETE', headers: { a: marker } })],
  ['malformed JSON', 400, () => send(`{"messages": ${marker}`)],
  ['JSON with a tail', 400, () => send(`{"a":"${marker}"} ${marker}`)],
  ['a key', 400, () => send({ ...base, [marker]: 1 })],
  ['a key of a message', 400, () => send({ ...base, messages: [{ ...user('a'), [marker]: 1 }] })],
  ['a key of a part', 400, () => send({ ...base, messages: [{ role: 'user', content: [{ type: 'text', text: 'a', [marker]: marker }] }] })],
  ['a part type', 400, () => send({ ...base, messages: [{ role: 'user', content: [{ type: marker, text: marker }] }] })],
  ['a role', 400, () => send({ ...base, messages: [{ role: marker, content: marker }] })],
  ['a wrong type', 400, () => send({ ...base, messages: [{ role: 'user', content: { [marker]: marker } }] })],
  ['messages as text', 400, () => send({ ...base, messages: marker })],
  ['a setting', 400, () => send({ ...base, temperature: marker })],
  ['a refused field', 400, () => send({ ...base, audio: [{ [marker]: marker }] })],
  ['a tool', 200, () => send({ ...base, tools: [{ type: 'function', function: { name: marker, description: marker, parameters: { [marker]: marker } } }] })],
  ['a tool that is none', 400, () => send({ ...base, tools: [{ [marker]: marker }] })],
  ['a name of a tool', 400, () => send({ ...base, tools: [{ type: 'function', function: { name: `${marker} ${marker}` } }] })],
  ['a choice of a tool', 400, () => send({ ...base, tool_choice: { type: 'function', function: { name: marker } } })],
  [
    'a turn of a tool',
    200,
    () => send({ ...base, messages: [calling(JSON.stringify({ [marker]: marker })), { role: 'tool', tool_call_id: marker, content: marker }] }),
  ],
  ['arguments that are no JSON', 400, () => send({ ...base, messages: [calling(marker)] })],
  ['an effort', 400, () => send({ ...base, reasoning_effort: marker })],
  ['a variable of templates', 400, () => send({ ...base, chat_template_kwargs: { [marker]: marker } })],
  ['a message of Anthropic', 200, () => send({ ...anthropic, system: marker, metadata: { user_id: marker }, stop_sequences: [marker] }, messages)],
  ['a key of Anthropic', 200, () => send(anthropic, messages, { ...json, 'x-api-key': marker, 'anthropic-beta': marker })],
  ['a field of Anthropic', 400, () => send({ ...anthropic, [marker]: marker }, messages)],
  ['a block of another type', 400, () => send({ ...anthropic, messages: [{ role: 'user', content: [{ type: marker, [marker]: marker }] }] }, messages)],
  ['a key of a block', 400, () => send({ ...anthropic, messages: [{ role: 'user', content: [{ type: 'text', text: marker, [marker]: marker }] }] }, messages)],
  ['a counted prompt', 200, () => send({ model: 'default', messages: [user(marker)] }, `${messages}/count_tokens`)],
  ['a model that is counted', 404, () => send({ model: marker, messages: [user(marker)] }, `${messages}/count_tokens`)],
  ['a text to embed', 400, () => send({ model: 'default', input: [marker] }, '/v1/embeddings')],
  ['a field of embeddings', 400, () => send({ model: 'default', input: 'a', [marker]: marker, encoding_format: marker }, '/v1/embeddings')],
  ['a text that is tokenized', 200, () => send({ prompt: marker }, '/tokenize')],
  ['a chat that is tokenized', 200, () => send({ messages: [user(marker)], tools: [{ type: 'function', function: { name: marker } }] }, '/tokenize')],
  ['no text to tokenize', 400, () => send({ prompt: [marker] }, '/tokenize')],
  ['a text without identifiers', 200, () => send({ text: marker }, '/v1/deidentify')],
  ['an identifier that is taken out', 200, () => send({ text: `{"mrn":"${marker}"}`, actions: 'remove' }, '/v1/deidentify')],
  ['no text to de-identify', 400, () => send({ text: [marker], [marker]: 1 }, '/v1/deidentify')],
  ['tokens that are none', 400, () => send({ tokens: [marker] }, '/detokenize')],
  ['a chat that is rendered', 200, () => send({ ...base, messages: [user(marker)] }, '/v1/chat/completions/render')],
  ['a response', 200, () => send({ model: 'default', input: marker, instructions: marker, user: marker, stream: true }, responses)],
  ['an item of another type', 400, () => send({ model: 'default', input: [{ type: marker, [marker]: marker }] }, responses)],
  ['a key of an item', 400, () => send({ model: 'default', input: [{ role: 'user', content: marker, [marker]: marker }] }, responses)],
  ['a response to go on from', 400, () => send({ model: 'default', input: 'a', previous_response_id: marker }, responses)],
  ['a key of the cache', 200, () => send({ ...base, prompt_cache_key: marker })],
  ['a stop string too long', 400, () => send({ ...base, stop: marker.repeat(10) })],
  ['a model', 404, () => send({ ...base, model: marker })],
  ['a body over the limit', 413, () => send({ ...base, messages: [user(marker.repeat(200))] })],
  ['a body of another type', 415, () => send(marker, undefined, { 'content-type': `text/${marker}` })],
  ['invalid UTF-8', 400, () => talk(bench.port, rawPost(Buffer.concat([Buffer.from(`{"model":"${marker}`), Buffer.from([0xff]), Buffer.from('"}')])))],
  [
    'a body that is cut',
    408,
    () => talk(bench.port, `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n${'content-type: application/json'}\r\ncontent-length: 500\r\n\r\n${marker}`),
  ],
  ['headers over the limit', 431, () => talk(bench.port, `GET /health HTTP/1.1\r\nhost: a\r\nx: ${marker.repeat(3000)}\r\n\r\n`)],
  ['what is not HTTP', 400, () => talk(bench.port, `${marker}\r\n\r\n`)],
];
test.each(places)('%s leaves no trace', async (_, status, act) => {
  await expectSilence(status, await act());
});

test('a failure of the text side leaves no trace', async () => {
  bench.text.failure = new Error(`template: ${marker}`);
  await expectSilence(500, await send({ ...base, messages: [user(marker)] }));
  bench.text.failure = marker;
  await expectSilence(500, await send({ ...base, messages: [user(marker)], stream: true }));
});

test('a failure of the engine leaves no trace, before and inside a stream', async () => {
  await bench.app.close();
  bench = await listen({ script: say('abc'), failAt: { index: 1, error: new Error(marker) } });
  await expectSilence(500, await send({ ...base, messages: [user(marker)] }));
  await expectSilence(200, await send({ ...base, messages: [user(marker)], stream: true }));
});

test('a thrown thing with a status of its own is not trusted', async () => {
  bench.text.failure = Object.assign(new Error(marker), { statusCode: 422, code: `FST_${marker}` });
  await expectSilence(400, await send(base));
});

test('a client that goes away leaves no trace', async () => {
  await bench.app.close();
  bench = await listen({ script: say(marker.repeat(100)), stepMs: 1 });
  const abort = new AbortController();
  const response = await fetch(`${bench.url}/v1/chat/completions`, {
    ...{ method: 'POST', headers: json, signal: abort.signal },
    body: JSON.stringify({ ...base, messages: [user(marker)], stream: true }),
  });
  await response.body?.getReader().read();
  abort.abort();
  await until(() => bench.lines.length > 0 && bench.engine.running === 0);
  expect([...bench.lines, ...printed, await scrape()].join('\n')).not.toContain(marker);
});

test('echoed text and token ids are in the answer alone', async () => {
  await bench.app.close();
  bench = await listen({ script: say(marker) });
  // A run of ids that nothing else could print
  const ids = Array.from(Buffer.from(marker));
  const response = await send({ model: 'default', prompt: [ids], echo: true, max_tokens: 50, n: 2, logprobs: 3 }, completions);
  const body = await response.text();
  expect(body.split(marker)).toHaveLength(1 + 2 * 2);
  await until(() => bench.lines.length > 0);
  const traces = [...bench.lines, ...printed, JSON.stringify([...response.headers]), await scrape()].join('\n');
  expect(traces).not.toContain(marker);
  expect(traces).not.toContain(ids.slice(0, 4).join(','));
  expect(JSON.parse(bench.lines[0] ?? '')).toMatchObject({ route: '/v1/completions', promptTokens: 32, completionTokens: 64 });
});

test('a deadline that passes inside a stream leaves no trace', async () => {
  await bench.app.close();
  bench = await listen({ script: say(marker.repeat(50)), stepMs: 1 });
  const response = await send({ model: 'default', prompt: marker, stream: true, max_tokens: 1000 }, completions, { ...json, 'x-inward-deadline-ms': '500' });
  const frames = (await response.text()).split('\n\n');
  expect(frames.at(-2)).toMatch(/^data: \{"error":.*"code":"deadline_exceeded"/);
  await until(() => bench.lines.length > 0);
  expect([...bench.lines, ...printed, frames.at(-2), await scrape()].join('\n')).not.toContain(marker);
});

test('log lines have the columns of the closed list and nothing else', async () => {
  await send({ ...base, messages: [user(marker)] });
  await until(() => bench.lines.length > 0);
  const line = JSON.parse(bench.lines[0] ?? '') as Record<string, unknown>;
  expect(Object.keys(line)).toEqual(['time', 'level', 'event', 'requestId', 'route', 'status', 'finished', 'durationMs', 'promptTokens', 'completionTokens']);
  expect(line).toMatchObject({ event: 'request', route: '/v1/chat/completions', status: 200, finished: true, completionTokens: 16 });
  expect(bench.engine).toBeInstanceOf(FakeEngine);
});
