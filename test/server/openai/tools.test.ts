/** Thoughts and calls of tools in chat answers, through the official client: what the template gets, what the client reads. */
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { say } from '../../fake-text.ts';
import { type Bench, collect, listen, until, user } from '../help.ts';
import { format, writeCall, written } from './answering.ts';

const client = (url: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }).chat.completions;
const parameters = { type: 'object', properties: { ward: { type: 'string' } } };
const tools: OpenAI.ChatCompletionTool[] = [
  { type: 'function', function: { name: 'find', description: 'Finds a patient.', parameters } },
  { type: 'function', function: { name: 'count' } },
];
const base = { model: 'default', messages: [user('Hi')], tools };

async function open(text: string): Promise<Bench> {
  const bench = await listen({ script: say(text) });
  bench.text.format = format;
  return bench;
}

describe('what the template gets', () => {
  test('tools, with all that templates read of them', async () => {
    await using bench = await open('a');
    await client(bench.url).create(base);
    expect(bench.text.options[0]?.tools).toEqual([
      { type: 'function', function: { name: 'find', description: 'Finds a patient.', parameters } },
      { type: 'function', function: { name: 'count', description: '', parameters: { type: 'object', properties: {} } } },
    ]);
  });

  test('turns of calls and tools, arguments as an object', async () => {
    await using bench = await open('a');
    const call = { id: 'call_1', type: 'function' as const, function: { name: 'find', arguments: '{"ward": "Ä3"}' } };
    const thinking = { reasoning_content: 'Which ward?' } as object;
    await client(bench.url).create({
      ...base,
      messages: [
        { role: 'developer', content: 'Be brief.' },
        user('Hi'),
        { role: 'assistant', tool_calls: [call], ...thinking },
        {
          role: 'tool',
          tool_call_id: 'call_1',
          content: [
            { type: 'text', text: 'Bed' },
            { type: 'text', text: '4' },
          ],
        },
        { role: 'assistant', content: 'In bed 4.' },
      ],
    });
    expect(bench.text.chats[0]).toEqual([
      { role: 'system', content: 'Be brief.' },
      user('Hi'),
      {
        role: 'assistant',
        content: '',
        reasoning: 'Which ward?',
        toolCalls: [{ id: 'call_1', type: 'function', function: { name: 'find', arguments: { ward: 'Ä3' } } }],
      },
      { role: 'tool', content: 'Bed\n4', toolCallId: 'call_1' },
      { role: 'assistant', content: 'In bed 4.' },
    ]);
  });

  test.each([
    [undefined, {}],
    ['none', { reasoning_effort: 'none', enable_thinking: false }],
    ['minimal', { reasoning_effort: 'low', enable_thinking: true }],
    ['low', { reasoning_effort: 'low', enable_thinking: true }],
    ['xhigh', { reasoning_effort: 'high', enable_thinking: true }],
  ] as const)('an effort of %s', async (effort, variables) => {
    await using bench = await open('a');
    await client(bench.url).create({ ...base, ...(effort && { reasoning_effort: effort }) });
    expect(bench.text.options[0]?.variables).toEqual(variables);
  });

  test('the greatest effort, where the template has one', async () => {
    await using bench = await open('a');
    Object.assign(bench.text.info, { hasGreatestEffort: true });
    await client(bench.url).create({ ...base, reasoning_effort: 'xhigh' });
    expect(bench.text.options[0]?.variables).toEqual({ reasoning_effort: 'max', enable_thinking: true });
  });

  test('efforts of a template that knows high alone, and takes every other word for the most', async () => {
    await using bench = await open('a');
    Object.assign(bench.text.info, { hasGreatestEffort: true, knowsOnlyHigh: true });
    const create = (effort: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh'): Promise<unknown> =>
      client(bench.url).create({ ...base, reasoning_effort: effort });
    for (const effort of ['none', 'high', 'xhigh'] as const) await create(effort);
    expect(bench.text.options.map((given) => given?.variables)).toEqual([
      { reasoning_effort: 'none', enable_thinking: false },
      { reasoning_effort: 'high', enable_thinking: true },
      { reasoning_effort: 'max', enable_thinking: true },
    ]);
    for (const effort of ['minimal', 'low', 'medium'] as const)
      await expect(create(effort)).rejects.toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'reasoning_effort' });
  });

  test('the switch of vLLM’s clients', async () => {
    await using bench = await open('a');
    await client(bench.url).create({ ...base, ...({ chat_template_kwargs: { enable_thinking: false } } as object) });
    expect(bench.text.options[0]?.variables).toEqual({ enable_thinking: false });
  });

  test('no tools where none may be called', async () => {
    await using bench = await open(written);
    const { choices } = await client(bench.url).create({ ...base, tool_choice: 'none' });
    expect(bench.text.options[0]?.tools).toEqual([]);
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: written.split('</think>\n\n')[1] } });
    expect(choices[0]?.message.tool_calls).toBeUndefined();
  });
});

describe('what the client reads', () => {
  const calls = [
    { id: expect.stringMatching(/^[A-Za-z0-9]{9}$/), type: 'function', function: { name: 'find', arguments: '{"ward":"Ä3"}' } },
    { id: expect.stringMatching(/^[A-Za-z0-9]{9}$/), type: 'function', function: { name: 'count', arguments: '{}' } },
  ];

  test('a thought, a text and calls, and what they cost', async () => {
    await using bench = await open(written);
    const { choices, usage } = await client(bench.url).create(base);
    expect(choices[0]?.message).toEqual({ role: 'assistant', content: 'I look it up.', refusal: null, reasoning_content: 'Which ward?', tool_calls: calls });
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    expect(new Set(choices[0]?.message.tool_calls?.map(({ id }) => id)).size).toBe(2);
    // Each byte is a token. "<think>\nWhich ward?" is one thought; the line break before the closing mark is beside it.
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBe('<think>\nWhich ward?'.length);
    expect(usage?.completion_tokens).toBe(Buffer.byteLength(written) + 1);
  });

  test('the same as a stream, put together by the client', async () => {
    await using bench = await open(written);
    const stream = client(bench.url).stream(base);
    const deltas = (await collect(stream)).flatMap(({ choices }) => choices.map(({ delta }) => delta));
    const { choices } = await stream.finalChatCompletion();
    expect(choices[0]?.message).toMatchObject({ content: 'I look it up.', tool_calls: calls });
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    const thought = deltas.map((delta) => (delta as { reasoning_content?: string }).reasoning_content ?? '').join('');
    expect(thought).toBe('Which ward?');
    const pieces = deltas.flatMap(({ tool_calls }) => tool_calls ?? []);
    expect(pieces.filter(({ id }) => id !== undefined)).toMatchObject([
      { index: 0, type: 'function', function: { name: 'find' } },
      { index: 1, type: 'function', function: { name: 'count' } },
    ]);
    // Arguments come as they are written, not at the end.
    expect(pieces.filter(({ index }) => index === 0).length).toBeGreaterThan(3);
  });

  test('a call alone has no content', async () => {
    await using bench = await open(writeCall('count', {}));
    expect((await client(bench.url).create(base)).choices[0]?.message).toMatchObject({ content: null });
  });

  test('one call where several are not wanted: the engine stops at the second', async () => {
    await using bench = await listen({ script: say(`${written}${'x'.repeat(500)}`), stepMs: 1 });
    bench.text.format = format;
    const { choices } = await client(bench.url).create({ ...base, parallel_tool_calls: false });
    expect(choices[0]?.message.tool_calls).toHaveLength(1);
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    await until(() => bench.engine.running === 0);
    expect(bench.engine.steps).toBeLessThan(Buffer.byteLength(written) + 50);
  });

  test('an answer that is cut within a call says so, and has what came of it', async () => {
    await using bench = await open(written);
    const { choices } = await client(bench.url).create({ ...base, max_tokens: Buffer.byteLength(written.slice(0, written.indexOf('Ä3'))) });
    expect(choices[0]).toMatchObject({ finish_reason: 'length', message: { tool_calls: [{ function: { name: 'find', arguments: '{"ward":"' } }] } });
  });

  test('stop strings are looked for in the text, not in thoughts and arguments', async () => {
    await using bench = await open(`<think>STOP</think>${writeCall('find', { ward: 'STOP' })} one STOP two`);
    const { choices } = await client(bench.url).create({ ...base, stop: 'STOP' });
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: 'one ', reasoning_content: 'STOP', tool_calls: [{ function: { arguments: '{"ward":"STOP"}' } }] },
    });
  });

  test('log-probabilities are of all tokens, those of thoughts and calls too', async () => {
    await using bench = await open(written);
    const { choices } = await client(bench.url).create({ ...base, logprobs: true });
    expect(Buffer.from(choices[0]?.logprobs?.content?.flatMap(({ bytes }) => bytes ?? []) ?? []).toString()).toBe(written);
  });

  test('an id of the model’s own is kept, if it is one', async () => {
    await using bench = await open('[TOOL_CALLS]find[CALL_ID]Abc123xyz[ARGS]{}[TOOL_CALLS]find[CALL_ID]<b>[ARGS]{}');
    bench.text.format = { calls: 'bracket-tags' };
    const { choices } = await client(bench.url).create(base);
    const [first, second] = choices[0]?.message.tool_calls?.map(({ id }) => id) ?? [];
    expect(first).toBe('Abc123xyz');
    expect(second).toMatch(/^[A-Za-z0-9]{9}$/);
  });
});
