/** Anthropic's own client, as it is. */
import Anthropic from '@anthropic-ai/sdk';
import { expect, test } from 'vitest';
import { until, user } from '../help.ts';
import { answer, finding, listenAsAgent } from './agent.ts';

const client = (url: string) => new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
const tools: Anthropic.Tool[] = [{ name: 'find', description: 'Finds a patient.', input_schema: { type: 'object', properties: { ward: { type: 'string' } } } }];
const base = { model: 'default', max_tokens: 200, messages: [user('Where is he?')], tools };

test('a message, and the same as a stream', async () => {
  await using bench = await listenAsAgent();
  const whole = await client(bench.url).messages.create(base);
  expect(whole.content).toMatchObject([
    { type: 'thinking', thinking: 'Which ward?' },
    { type: 'tool_use', name: 'find', input: { ward: 'Ä3' } },
  ]);
  expect(whole.stop_reason).toBe('tool_use');
  const streamed = await client(bench.url).messages.stream(base).finalMessage();
  // The client adds fields of its own to a message that it put together.
  const plain = ({ content, usage, stop_reason, model }: Anthropic.Message) => ({
    usage,
    stop_reason,
    model,
    content: content.map((block) => ({ ...block, id: '' })),
  });
  expect(plain(streamed)).toEqual(plain(whole));
  expect(whole._request_id).toMatch(/^[0-9a-f-]{36}$/);
});

test('a round with a tool', async () => {
  await using bench = await listenAsAgent();
  const first = await client(bench.url).messages.create(base);
  const call = first.content.find((block) => block.type === 'tool_use');
  const result = { type: 'tool_result' as const, tool_use_id: call?.id ?? '', content: JSON.stringify(finding) };
  const second = await client(bench.url).messages.create({
    ...base,
    messages: [...base.messages, { role: 'assistant', content: first.content }, { role: 'user', content: [result] }],
  });
  expect(second.content).toEqual([{ type: 'text', text: answer }]);
  expect(second.stop_reason).toBe('end_turn');
  expect(bench.text.chats[1]).toMatchObject([
    { role: 'user' },
    { role: 'assistant', reasoning: 'Which ward?', toolCalls: [{ id: call?.id }] },
    { role: 'tool', toolCallId: call?.id },
  ]);
});

test('tokens are counted', async () => {
  await using bench = await listenAsAgent();
  const { max_tokens: _, ...counted } = base;
  expect(await client(bench.url).messages.countTokens(counted)).toEqual({ input_tokens: 1 + 'user:Where is he?\n'.length });
});

test('a client that goes away stops its answer', async () => {
  await using bench = await listenAsAgent('x'.repeat(3000), { stepMs: 2 });
  const stream = client(bench.url).messages.stream({ ...base, max_tokens: 3000 });
  const reading = stream.finalMessage().catch((error: unknown) => error);
  await until(() => bench.engine.steps > 5);
  stream.abort();
  expect(await reading).toBeInstanceOf(Anthropic.APIUserAbortError);
  await until(() => bench.engine.running === 0);
  expect(bench.engine.aborts).toBe(1);
});

test('errors have the classes that it knows', async () => {
  await using bench = await listenAsAgent('z'.repeat(100), { places: 1, stepMs: 20 });
  const api = client(bench.url).messages;
  await expect(api.create({ ...base, max_tokens: 0 })).rejects.toThrow(Anthropic.BadRequestError);
  await expect(api.create({ ...base, model: 'claude' })).rejects.toThrow(Anthropic.NotFoundError);
  await expect(api.create({ ...base, tool_choice: { type: 'tool', name: 'other' } })).rejects.toMatchObject({
    status: 400,
    type: 'invalid_request_error',
    error: { error: { code: 'invalid_value', param: 'tool_choice' } },
  });
  const stream = await api.create({ ...base, stream: true });
  const refusal = await api.create(base).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(Anthropic.RateLimitError);
  stream.controller.abort();
});

test('a failure within a stream is an error', async () => {
  await using bench = await listenAsAgent('abc', { failAt: { index: 2, error: new Error('secret detail') } });
  const failure = await client(bench.url)
    .messages.stream(base)
    .finalMessage()
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Anthropic.APIError);
  expect(String(failure)).not.toContain('secret');
});
