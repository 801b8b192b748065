/** Anthropic's API as it is on the wire: turns, blocks, events, errors and counts. */
import type { LightMyRequestResponse } from 'fastify';
import { describe, expect, test } from 'vitest';
import { InwardError } from '../../../runtime/errors.ts';
import { say } from '../../fake-text.ts';
import { type Bench, listen, until, user } from '../help.ts';
import { format, writeCall, written } from '../openai/answering.ts';

const base = { model: 'default', max_tokens: 500, messages: [user('Hi')] };
const tools = [
  { name: 'find', description: 'Finds a patient.', input_schema: { type: 'object', properties: { ward: { type: 'string' } } } },
  { name: 'count', input_schema: { type: 'object' } },
];

async function open(text: string): Promise<Bench> {
  const bench = await listen({ script: say(text) });
  bench.text.format = format;
  return bench;
}
const post = (bench: Bench, body: object, url = '/v1/messages'): Promise<LightMyRequestResponse> =>
  bench.app.inject({ method: 'POST', url, payload: { ...base, ...body }, headers: { 'anthropic-version': '2023-06-01' } });

interface Event {
  readonly name: string;
  readonly data: Record<string, unknown>;
}
const readEvents = (body: string): Event[] =>
  body.split('\n\n').flatMap((frame) => {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
    return name === undefined || data === undefined ? [] : [{ name, data: JSON.parse(data) as Record<string, unknown> }];
  });

describe('answers', () => {
  test('blocks of every kind', async () => {
    await using bench = await open(written);
    expect((await post(bench, { tools })).json()).toEqual({
      id: expect.stringMatching(/^msg_[\w-]{24}$/),
      type: 'message',
      role: 'assistant',
      model: 'fake-model',
      content: [
        { type: 'thinking', thinking: 'Which ward?', signature: '' },
        { type: 'text', text: 'I look it up.' },
        { type: 'tool_use', id: expect.stringMatching(/^[A-Za-z0-9]{9}$/), name: 'find', input: { ward: 'Ä3' } },
        { type: 'tool_use', id: expect.stringMatching(/^[A-Za-z0-9]{9}$/), name: 'count', input: {} },
      ],
      stop_reason: 'tool_use',
      stop_sequence: null,
      // A start token and "user:Hi\n"; each byte of the answer is a token, and its end.
      usage: { input_tokens: 9, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: Buffer.byteLength(written) + 1 },
    });
  });

  test.each([
    ['an end', {}, { stop_reason: 'end_turn', stop_sequence: null }, 'one STOP two'],
    ['a limit', { max_tokens: 3 }, { stop_reason: 'max_tokens', stop_sequence: null }, 'one'],
    ['a stop sequence', { stop_sequences: ['END', 'STOP'] }, { stop_reason: 'stop_sequence', stop_sequence: 'STOP' }, 'one '],
  ])('%s is told', async (_, more, told, text) => {
    await using bench = await open('one STOP two');
    const answer = (await post(bench, more)).json<{ content: { text: string }[] }>();
    expect(answer).toMatchObject(told);
    expect(answer.content[0]?.text).toBe(text);
    const delta = readEvents((await post(bench, { ...more, stream: true })).body).find(({ name }) => name === 'message_delta');
    expect(delta?.data['delta']).toEqual(told);
  });

  test('tokens that were kept from before are counted apart', async () => {
    await using bench = await listen({ script: say('a'), cached: () => 4 });
    expect((await post(bench, {})).json()).toMatchObject({ usage: { input_tokens: 5, cache_read_input_tokens: 4, output_tokens: 2 } });
  });

  test('a call that was cut has no input', async () => {
    await using bench = await open(writeCall('find', { ward: 'Ä3' }));
    const answer = (await post(bench, { tools, max_tokens: 60 })).json();
    expect(answer).toMatchObject({ stop_reason: 'max_tokens', content: [{ type: 'tool_use', name: 'find', input: {} }] });
  });
});

test('events of a stream: each block begins, grows and ends, and the names are the types', async () => {
  await using bench = await open(`<think>ab</think>c${writeCall('count', { a: 1 })}`);
  const events = readEvents((await post(bench, { tools, stream: true })).body);
  expect(events.every(({ name, data }) => name === data['type'])).toBe(true);
  const kindOf = (event: Event | undefined): unknown => (event?.data['delta'] as { type?: string } | undefined)?.type ?? event?.name;
  const joined = events.filter((event, place) => event.name !== 'content_block_delta' || kindOf(events[place - 1]) !== kindOf(event)).map(({ data }) => data);
  const usage = { input_tokens: 9, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  expect(joined).toEqual([
    {
      type: 'message_start',
      message: {
        ...{ id: expect.stringMatching(/^msg_/), type: 'message', role: 'assistant', model: 'fake-model', content: [], stop_reason: null, stop_sequence: null },
        usage: { ...usage, output_tokens: 0 },
      },
    },
    { type: 'ping' },
    { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'a' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: '' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'c' } },
    { type: 'content_block_stop', index: 1 },
    { type: 'content_block_start', index: 2, content_block: { type: 'tool_use', id: expect.any(String), name: 'count', input: {} } },
    { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{' } },
    { type: 'content_block_stop', index: 2 },
    { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { ...usage, output_tokens: expect.any(Number) } },
    { type: 'message_stop' },
  ]);
});

describe('what the template gets', () => {
  test('blocks as turns: results of calls before what is said to them', async () => {
    await using bench = await open('a');
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Find', cache_control: { type: 'ephemeral' } },
          { type: 'text', text: 'him' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Which ward?', signature: 'x' },
          { type: 'redacted_thinking', data: 'y' },
          { type: 'text', text: 'I look.' },
          { type: 'tool_use', id: 'c1', name: 'find', input: { ward: 'Ä3' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c1', content: [{ type: 'text', text: 'Bed 4' }] },
          { type: 'text', text: 'And now?' },
        ],
      },
    ];
    expect((await post(bench, { system: [{ type: 'text', text: 'Be brief.' }], messages, tools })).statusCode).toBe(200);
    expect(bench.text.chats[0]).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Find\nhim' },
      {
        role: 'assistant',
        content: 'I look.',
        reasoning: 'Which ward?',
        toolCalls: [{ id: 'c1', type: 'function', function: { name: 'find', arguments: { ward: 'Ä3' } } }],
      },
      { role: 'tool', content: 'Bed 4', toolCallId: 'c1' },
      { role: 'user', content: 'And now?' },
    ]);
    expect(bench.text.options[0]?.tools?.[0]).toEqual({
      type: 'function',
      function: { name: 'find', description: 'Finds a patient.', parameters: tools[0]?.input_schema },
    });
  });

  test.each([
    [{}, {}],
    [{ thinking: { type: 'disabled' } }, { reasoning_effort: 'none', enable_thinking: false }],
    [{ thinking: { type: 'enabled', budget_tokens: 2048 } }, { reasoning_effort: 'medium', enable_thinking: true }],
    [
      { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } },
      { reasoning_effort: 'high', enable_thinking: true },
    ],
  ])('thoughts: %j', async (more, variables) => {
    await using bench = await open('a');
    expect((await post(bench, more)).statusCode).toBe(200);
    expect(bench.text.options[0]?.variables).toEqual(variables);
  });

  test('settings reach the engine', async () => {
    await using bench = await open('a');
    await post(bench, { temperature: 0.5, top_p: 0.9, top_k: 5, max_tokens: 7, metadata: { user_id: 'u' }, service_tier: 'auto' });
    expect(bench.engine.requests[0]).toMatchObject({ maxTokens: 7, sampling: { temperature: 0.5, topP: 0.9, topK: 5 } });
  });
});

describe('refusals', () => {
  const image = {
    role: 'user',
    content: [
      { type: 'text', text: 'a' },
      { type: 'image', source: {} },
    ],
  };
  test.each([
    ['a stop sequence that is none', { stop_sequences: [null] }, 'invalid_value', 'stop_sequences[0]', 'must be a string'],
    ['stop sequences in a list of their own', { stop_sequences: [['a']] }, 'invalid_value', 'stop_sequences[0]', 'must be a string'],
    ['no limit', { max_tokens: undefined }, 'invalid_value', 'max_tokens', 'must be a number'],
    ['an image', { messages: [image] }, 'invalid_value', 'messages[0].content[1].type', 'images and documents are not taken'],
    ['a block without text', { messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'invalid_value', 'messages[0].content[0].text', 'must be a string'],
    [
      'a system message among the others',
      { messages: [{ role: 'system', content: 'a' }] },
      'invalid_value',
      'messages[0].role',
      'must be one of user, assistant',
    ],
    [
      'an answer that is begun',
      { messages: [user('a'), { role: 'assistant', content: 'b' }] },
      'invalid_value',
      'messages[1].role',
      'an answer cannot be begun',
    ],
    [
      'a user who calls',
      { messages: [{ role: 'user', content: [{ type: 'tool_use', id: 'c', name: 'f', input: {} }] }] },
      'invalid_value',
      'messages[0].content[0].type',
      'in a message of a user',
    ],
    ['a call of a tool that there is not', { tools, tool_choice: { type: 'tool', name: 'other' } }, 'invalid_value', 'tool_choice', 'must name one of "tools"'],
    [
      'a tool of the server',
      { tools: [{ type: 'web_search_20250305', name: 'web_search', input_schema: {} }] },
      'invalid_value',
      'tools[0].type',
      'has no tools of its own',
    ],
    ['a temperature of OpenAI', { temperature: 1.5 }, 'invalid_value', 'temperature', 'at most 1'],
    ['a field of OpenAI', { n: 2 }, 'unknown_parameter', 'body', 'it knows'],
    ['a container', { container: 'c' }, 'unsupported_parameter', 'container', 'leave it out'],
  ])('%s', async (_, change, code, param, rule) => {
    await using bench = await open('a');
    const response = await post(bench, change);
    expect(response.statusCode).toBe(400);
    const { type, error } = response.json<{ type: string; error: { type: string; message: string; code: string; param: string } }>();
    expect({ type, error }).toMatchObject({ type: 'error', error: { type: 'invalid_request_error', code, param } });
    expect(error.message).toContain(rule);
    expect(response.headers['request-id']).toBe(response.headers['x-request-id']);
  });

  test.each([
    ['another model', { model: 'claude' }, 404, 'not_found_error'],
    ['a body that is too large', { system: 'x'.repeat(5000) }, 413, 'request_too_large'],
  ])('%s', async (_, change, status, type) => {
    await using bench = await listen({}, { bodyLimit: 4096 });
    const response = await post(bench, change);
    expect([response.statusCode, response.json().error.type]).toEqual([status, type]);
  });

  test('another method, and a path below', async () => {
    await using bench = await open('a');
    const wrong = await bench.app.inject({ method: 'GET', url: '/v1/messages' });
    expect([wrong.statusCode, wrong.json().type]).toEqual([405, 'error']);
    expect((await bench.app.inject({ method: 'POST', url: '/v1/messages/batches', payload: {} })).statusCode).toBe(404);
  });

  test('a failure within a stream is its last event', async () => {
    await using bench = await listen({ failAt: { index: 1, error: new InwardError('engine_restarted') } });
    const last = readEvents((await post(bench, { stream: true })).body).at(-1);
    expect(last).toMatchObject({ name: 'error', data: { type: 'error', error: { type: 'overloaded_error', code: 'engine_restarted' } } });
  });
});

describe('tokens are counted', () => {
  const count = (bench: Bench, body: object) =>
    bench.app.inject({ method: 'POST', url: '/v1/messages/count_tokens', payload: { model: 'default', messages: [user('Hi')], ...body } });

  test('as the answer counts them, without any being made', async () => {
    await using bench = await open('a');
    const response = await count(bench, { system: 'Be brief.', tools, thinking: { type: 'disabled' } });
    expect(response.json()).toEqual({ input_tokens: 1 + 'system:Be brief.\nuser:Hi\n'.length });
    expect(bench.engine.requests).toEqual([]);
    // And the ids are gone.
    await until(() => bench.text.given.every((ids) => ids.every((id) => id === 0)));
  });

  test('fields of an answer are refused', async () => {
    await using bench = await open('a');
    expect((await count(bench, { max_tokens: 5 })).json()).toMatchObject({ type: 'error', error: { code: 'unknown_parameter' } });
    expect((await count(bench, { model: 'claude' })).statusCode).toBe(404);
  });
});
