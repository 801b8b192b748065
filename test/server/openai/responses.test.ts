/** The Responses API through the official client: items, events, what is refused because nothing is stored. */
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { InwardError } from '../../../runtime/errors.ts';
import { say } from '../../fake-text.ts';
import { type Bench, collect, listen } from '../help.ts';
import { format, writeCall, written } from './answering.ts';

const client = (url: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }).responses;
const parameters = { type: 'object', properties: { ward: { type: 'string' } } };
const tools = [
  { type: 'function' as const, name: 'find', description: 'Finds a patient.', parameters, strict: false },
  { type: 'function' as const, name: 'count', parameters: {}, strict: false },
];
const base = { model: 'default', input: 'Hi' };

async function open(text: string): Promise<Bench> {
  const bench = await listen({ script: say(text) });
  bench.text.format = format;
  return bench;
}
const id = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}_[\\w-]{24}$`));
const callId = expect.stringMatching(/^[A-Za-z0-9]{9}$/);
const output = [
  { id: id('rs'), type: 'reasoning', status: 'completed', summary: [], content: [{ type: 'reasoning_text', text: 'Which ward?' }] },
  {
    id: id('msg'),
    type: 'message',
    status: 'completed',
    role: 'assistant',
    content: [{ type: 'output_text', text: 'I look it up.', annotations: [], logprobs: [] }],
  },
  { id: id('fc'), type: 'function_call', status: 'completed', call_id: callId, name: 'find', arguments: '{"ward":"Ä3"}' },
  { id: id('fc'), type: 'function_call', status: 'completed', call_id: callId, name: 'count', arguments: '{}' },
];

describe('answers', () => {
  test('items of every kind, and what the request was understood as', async () => {
    await using bench = await open(written);
    const answer = await client(bench.url).create({ ...base, tools, instructions: 'Be brief.', max_output_tokens: 500, reasoning: { effort: 'low' } });
    expect(answer.output).toEqual(output);
    expect(answer.output_text).toBe('I look it up.');
    expect(answer).toMatchObject({
      ...{ id: id('resp'), object: 'response', status: 'completed', model: 'fake-model', error: null, incomplete_details: null },
      ...{ store: false, previous_response_id: null, instructions: null, max_output_tokens: 500, parallel_tool_calls: true, tool_choice: 'auto' },
      ...{ tools: [], reasoning: { effort: 'low', summary: null }, temperature: 1, top_p: 1 },
    });
    const promptTokens = 1 + 'system:Be brief.\nuser:Hi\n'.length;
    expect(answer.usage).toEqual({
      input_tokens: promptTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: Buffer.byteLength(written) + 1,
      output_tokens_details: { reasoning_tokens: '<think>\nWhich ward?'.length },
      total_tokens: promptTokens + Buffer.byteLength(written) + 1,
    });
  });

  test('one that was cut is incomplete, and so is its last item', async () => {
    await using bench = await open('abcdef');
    const answer = await client(bench.url).create({ ...base, max_output_tokens: 3 });
    expect(answer).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'incomplete' }],
      output_text: 'abc',
    });
  });

  test('log-probabilities, where they are included', async () => {
    await using bench = await open('ab');
    const answer = await client(bench.url).create({ ...base, include: ['message.output_text.logprobs'], top_logprobs: 2 });
    const [message] = answer.output as { content: { logprobs: { token: string; top_logprobs: object[] }[] }[] }[];
    expect(message?.content[0]?.logprobs.map(({ token, top_logprobs }) => [token, top_logprobs.length])).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
  });
});

describe('streams', () => {
  test('events are numbered, and items begin, grow and end in turn', async () => {
    await using bench = await open(`<think>a</think>b${writeCall('count', {})}`);
    const events = await collect(await client(bench.url).create({ ...base, tools, stream: true }));
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual([...events.keys()]);
    const types = events.map(({ type }) => type.replace('response.', ''));
    expect(types.filter((type, place) => type !== types[place - 1])).toEqual([
      ...['created', 'in_progress'],
      ...['output_item.added', 'content_part.added', 'reasoning_text.delta', 'reasoning_text.done', 'content_part.done', 'output_item.done'],
      ...['output_item.added', 'content_part.added', 'output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done'],
      ...['output_item.added', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done'],
      'completed',
    ]);
    expect(events.flatMap((event) => ('output_index' in event && event.type === 'response.output_item.added' ? [event.output_index] : []))).toEqual([0, 1, 2]);
  });

  test('the helper of the client puts them together', async () => {
    await using bench = await open(written);
    const answer = await client(bench.url)
      .stream({ ...base, tools })
      .finalResponse();
    expect(answer.output).toMatchObject(output);
  });

  test('a failure is an error of the client', async () => {
    await using bench = await listen({ failAt: { index: 2, error: new InwardError('engine_restarted') } });
    const response = await bench.app.inject({ method: 'POST', url: '/v1/responses', payload: { ...base, stream: true } });
    const [failed, error] = response.body.trim().split('\n\n').slice(-2);
    expect(failed).toMatch(/^event: response\.failed\n.*"status":"failed".*"code":"engine_restarted"/);
    expect(error).toMatch(/^event: error\n.*"code":"engine_restarted"/);
    const stream = await client(bench.url).create({ ...base, stream: true });
    await expect(collect(stream)).rejects.toThrow(OpenAI.APIError);
  });
});

test('items as turns: what an assistant thought, said and called in a row is one', async () => {
  await using bench = await open('a');
  await client(bench.url).create({
    ...base,
    tools,
    store: false,
    include: ['reasoning.encrypted_content'],
    input: [
      { role: 'developer', content: 'Be brief.' },
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'Find' },
          { type: 'input_text', text: 'him' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'Which ward?' }] },
      {
        type: 'message',
        id: 'msg_1',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'I look.', annotations: [], logprobs: [] }],
      },
      { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'find', arguments: '{"ward":"Ä3"}', status: 'completed' },
      { type: 'function_call', call_id: 'c2', name: 'count', arguments: '' },
      { type: 'function_call_output', call_id: 'c1', output: 'Bed 4' },
      { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: '7' }] },
      { role: 'assistant', content: 'In bed 4.' },
      { role: 'assistant', content: 'Of 7.' },
    ],
  });
  const toCall = (callIdGiven: string, name: string, values: object) => ({ id: callIdGiven, type: 'function', function: { name, arguments: values } });
  expect(bench.text.chats[0]).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Find\nhim' },
    { role: 'assistant', content: 'I look.', reasoning: 'Which ward?', toolCalls: [toCall('c1', 'find', { ward: 'Ä3' }), toCall('c2', 'count', {})] },
    { role: 'tool', content: 'Bed 4', toolCallId: 'c1' },
    { role: 'tool', content: '7', toolCallId: 'c2' },
    { role: 'assistant', content: 'In bed 4.' },
    { role: 'assistant', content: 'Of 7.' },
  ]);
});

test.each([
  ['a stored response', { store: true }, 'unsupported_parameter', 'store', 'nothing is ever stored'],
  [
    'one that goes on',
    { previous_response_id: 'resp_1' },
    'unsupported_parameter',
    'previous_response_id',
    'send the earlier items as input, because nothing is stored',
  ],
  ['a conversation', { conversation: 'conv_1' }, 'unsupported_parameter', 'conversation', 'because nothing is stored'],
  [
    'a reference',
    { input: [{ type: 'item_reference', id: 'msg_1' }] },
    'unsupported_parameter',
    'input[0].type',
    'send the item itself, because nothing is stored',
  ],
  ['a stored prompt', { prompt: { id: 'p' } }, 'unsupported_parameter', 'prompt', 'because nothing is stored'],
  ['metadata', { metadata: { a: 'b' } }, 'unsupported_parameter', 'metadata', 'leave it out'],
  ['work in the background', { background: true }, 'unsupported_parameter', 'background', 'leave it out'],
  ['a schema without a name', { text: { format: { type: 'json_schema', schema: {} } } }, 'invalid_value', 'text.format.name', 'must be a string'],
  ['a tool of the server', { tools: [{ type: 'web_search' }] }, 'invalid_value', 'tools[0].type', 'has no tools of its own'],
  [
    'a call of a tool that there is not',
    { tools, tool_choice: { type: 'function', name: 'other' } },
    'invalid_value',
    'tool_choice',
    'must name one of "tools"',
  ],
  [
    'an image',
    { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] },
    'invalid_value',
    'input[0].content[0].type',
    'images, audio and files are not taken',
  ],
  ['an item of no kind', { input: [{ type: 'computer_call' }] }, 'invalid_value', 'input[0].type', 'must be one of message, function_call'],
  [
    'arguments that are no JSON',
    { input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: '{' }] },
    'invalid_value',
    'input[0].arguments',
    'must be the JSON text of an object',
  ],
  ['messages', { messages: [] }, 'unknown_parameter', 'body', 'it knows'],
])('%s is refused', async (_, change, code, param, rule) => {
  await using bench = await open('a');
  const response = await bench.app.inject({ method: 'POST', url: '/v1/responses', payload: { ...base, ...change } });
  const { error } = response.json<{ error: { code: string; param: string; message: string } }>();
  expect([response.statusCode, error.code, error.param]).toEqual([400, code, param]);
  expect(error.message).toContain(rule);
});
