import type { LightMyRequestResponse } from 'fastify';
import { afterAll, describe, expect, test } from 'vitest';
import { InwardError } from '../../runtime/index.ts';
import { say } from '../fake-text.ts';
import { type Bench, listen, rawPost, talk, user } from './help.ts';

const bench: Bench = await listen({}, { bodyLimit: 2048, requestTimeoutMs: 300 });
afterAll(() => bench.app.close());

const post = (payload: string | Buffer | object, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> =>
  bench.app.inject({ method: 'POST', url: '/v1/chat/completions', payload, headers: { 'content-type': 'application/json', ...headers } });
const base = { model: 'default', messages: [user('Hi')] };

/** Every error answer has the envelope and the headers, whatever its cause. */
function expectEnvelope(response: LightMyRequestResponse, status: number, code: string, param: string | null = null): string {
  const { error } = response.json<{ error: { message: string; type: string; param: string | null; code: string } }>();
  expect({ status: response.statusCode, code: error.code, param: error.param }).toEqual({ status, code, param });
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
  expect(response.headers).toMatchObject({ 'x-inward-mode': 'evaluation; not-for-phi', 'cache-control': 'no-store' });
  expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  return error.message;
}

describe('values out of their rules', () => {
  const contradiction = 'priority must be above 0 with "service_tier": "flex", and at most 0 with any other but "auto".';
  const cases: readonly (readonly [string, object, string, string])[] = [
    ['messages empty', { messages: [] }, 'messages', 'messages must have a length of at least 1.'],
    ['messages missing', { messages: undefined }, 'messages', 'messages must be an array.'],
    ['messages a string', { messages: 'Hi' }, 'messages', 'messages must be an array.'],
    ['too many messages', { messages: Array(300).fill(1) }, 'messages[0]', 'messages[0] must be an object.'],
    ['message a number', { messages: [user('a'), 7] }, 'messages[1]', 'messages[1] must be an object.'],
    [
      'role unknown',
      { messages: [{ role: 'doctor', content: 'a' }] },
      'messages[0].role',
      'messages[0].role must be one of system, developer, user, assistant, tool, function.',
    ],
    ['content missing', { messages: [{ role: 'user' }] }, 'messages[0].content', 'messages[0].content must be a string or an array.'],
    ['content a number', { messages: [{ role: 'user', content: 5 }] }, 'messages[0].content', 'messages[0].content must be a string or an array.'],
    ['content without parts', { messages: [{ role: 'user', content: [] }] }, 'messages[0].content', 'messages[0].content must have a length of at least 1.'],
    [
      'an image part',
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'a' },
              { type: 'image_url', image_url: { url: 'http://x' } },
            ],
          },
        ],
      },
      'messages[0].content[1].type',
      'messages[0].content[1].type must be text: images, audio and files are not taken.',
    ],
    ['half a surrogate pair', { messages: [user('\ud800')] }, 'messages[0].content', 'messages[0].content must be well-formed Unicode.'],
    ['model missing', { model: undefined }, 'model', 'model must be a string.'],
    ['model null', { model: null }, 'model', 'model must be a string.'],
    ['stream a string', { stream: 'yes' }, 'stream', 'stream must be a boolean.'],
    ['temperature high', { temperature: 2.1 }, 'temperature', 'temperature must be at most 2.'],
    ['temperature low', { temperature: -0.1 }, 'temperature', 'temperature must be at least 0.'],
    ['temperature a string', { temperature: '1' }, 'temperature', 'temperature must be a number.'],
    ['top_p high', { top_p: 1.01 }, 'top_p', 'top_p must be at most 1.'],
    ['top_k broken', { top_k: 1.5 }, 'top_k', 'top_k must be a whole number.'],
    ['max_tokens zero', { max_tokens: 0 }, 'max_tokens', 'max_tokens must be at least 1.'],
    ['max_tokens huge', { max_tokens: 1e15 }, 'max_tokens', 'max_tokens must be at most 2147483647.'],
    ['max_completion_tokens broken', { max_completion_tokens: 0.5 }, 'max_completion_tokens', 'max_completion_tokens must be a whole number.'],
    ['seed negative', { seed: -1 }, 'seed', 'seed must be at least 0.'],
    ['seed too large', { seed: 2 ** 32 }, 'seed', 'seed must be at most 4294967295.'],
    ['seed unsafe', { seed: 2 ** 60 }, 'seed', 'seed must be at most 4294967295.'],
    ['stop empty', { stop: '' }, 'stop', 'stop must have a length of at least 1.'],
    ['17 stops', { stop: Array(17).fill('a') }, 'stop', 'stop must have a length of at most 16.'],
    ['a stop a number', { stop: ['a', 1] }, 'stop[1]', 'stop[1] must be a string.'],
    ['a stop too long', { stop: 'a'.repeat(257) }, 'stop', 'stop must have a length of at most 256.'],
    ['n zero', { n: 0 }, 'n', 'n must be at least 1.'],
    ['n huge', { n: 129 }, 'n', 'n must be at most 128.'],
    ['n a string', { n: '1' }, 'n', 'n must be a number.'],
    ['n broken', { n: 1.5 }, 'n', 'n must be a whole number.'],
    ['logprobs a number', { logprobs: 3 }, 'logprobs', 'logprobs must be a boolean.'],
    ['top_logprobs alone', { top_logprobs: 3 }, 'top_logprobs', 'top_logprobs is only allowed with "logprobs": true.'],
    ['top_logprobs without logprobs', { logprobs: false, top_logprobs: 3 }, 'top_logprobs', 'top_logprobs is only allowed with "logprobs": true.'],
    ['top_logprobs high', { logprobs: true, top_logprobs: 21 }, 'top_logprobs', 'top_logprobs must be at most 20.'],
    ['top_logprobs negative', { logprobs: true, top_logprobs: -1 }, 'top_logprobs', 'top_logprobs must be at least 0.'],
    ['presence_penalty high', { presence_penalty: 2.1 }, 'presence_penalty', 'presence_penalty must be at most 2.'],
    ['frequency_penalty low', { frequency_penalty: -2.1 }, 'frequency_penalty', 'frequency_penalty must be at least -2.'],
    ['repetition_penalty zero', { repetition_penalty: 0 }, 'repetition_penalty', 'repetition_penalty must be more than 0.'],
    ['repetition_penalty high', { repetition_penalty: 2.1 }, 'repetition_penalty', 'repetition_penalty must be at most 2.'],
    ['min_p high', { min_p: 1.1 }, 'min_p', 'min_p must be at most 1.'],
    ['min_p low', { min_p: -0.1 }, 'min_p', 'min_p must be at least 0.'],
    ['service_tier unknown', { service_tier: 'gold' }, 'service_tier', 'service_tier must be one of auto, default, scale, flex, priority, fast.'],
    ['service_tier a number', { service_tier: 1 }, 'service_tier', 'service_tier must be one of auto, default, scale, flex, priority, fast.'],
    [
      'service_tier like a part of objects',
      { service_tier: '__proto__' },
      'service_tier',
      'service_tier must be one of auto, default, scale, flex, priority, fast.',
    ],
    ['priority a string', { priority: '0' }, 'priority', 'priority must be a number.'],
    ['priority broken', { priority: 0.5 }, 'priority', 'priority must be a whole number.'],
    ['priority of 33 bits', { priority: 2 ** 31 }, 'priority', 'priority must be at most 2147483647.'],
    ['flex and an early priority', { service_tier: 'flex', priority: 0 }, 'priority', contradiction],
    ['default and a late priority', { service_tier: 'default', priority: 1 }, 'priority', contradiction],
    ['fast and a late priority', { service_tier: 'fast', priority: 7 }, 'priority', contradiction],
    ['cache_salt empty', { cache_salt: '' }, 'cache_salt', 'cache_salt must have a length of 1 to 256.'],
    ['cache_salt long', { cache_salt: 's'.repeat(257) }, 'cache_salt', 'cache_salt must have a length of 1 to 256.'],
    ['cache_salt a number', { cache_salt: 5 }, 'cache_salt', 'cache_salt must be a string.'],
    ['cache_salt half a pair', { cache_salt: '\udc00' }, 'cache_salt', 'cache_salt must be well-formed Unicode.'],
    ['ignore_eos a string', { ignore_eos: 'yes' }, 'ignore_eos', 'ignore_eos must be a boolean.'],
    ['logit_bias a list', { logit_bias: [1] }, 'logit_bias', 'logit_bias must be an object.'],
    ['logit_bias a string', { logit_bias: 'a' }, 'logit_bias', 'logit_bias must be an object.'],
    ['logit_bias by text', { logit_bias: { Marker: 1 } }, 'logit_bias', 'logit_bias must name tokens by their ids.'],
    ['logit_bias negative id', { logit_bias: { '-1': 1 } }, 'logit_bias', 'logit_bias must name tokens by their ids.'],
    ['logit_bias one id twice', { logit_bias: { 1: 1, '01': 2 } }, 'logit_bias', 'logit_bias must name tokens by their ids.'],
    ['logit_bias high', { logit_bias: { 1: 100.5 } }, 'logit_bias', 'logit_bias must give each token a number from -100 to 100.'],
    ['logit_bias null', { logit_bias: { 1: null } }, 'logit_bias', 'logit_bias must give each token a number from -100 to 100.'],
    ['logit_bias beyond the vocabulary', { logit_bias: { 300: 1 } }, 'logit_bias', 'logit_bias must name token ids below 300.'],
    ['stream_options without a stream', { stream_options: { include_usage: true } }, 'stream_options', 'stream_options is only allowed with "stream": true.'],
  ];
  test.each(cases)('%s', async (_, change, param, message) => {
    expect(expectEnvelope(await post({ ...base, ...change }), 400, 'invalid_value', param)).toBe(message);
  });

  test('too many tokens in logit_bias', async () => {
    await using roomy = await listen();
    const logit_bias = Object.fromEntries(Array.from({ length: 1025 }, (_, id) => [id, 1]));
    const response = await roomy.app.inject({ method: 'POST', url: '/v1/chat/completions', payload: { ...base, logit_bias } });
    expect(expectEnvelope(response, 400, 'invalid_value', 'logit_bias')).toBe('logit_bias must name at most 1024 tokens.');
  });

  test.each(['0', '-1', '3600001', '1.5', '1e3', '', ' ', 'soon', '99999999999'])('a deadline of %j', async (time) => {
    const message = expectEnvelope(await post(base, { 'x-inward-deadline-ms': time }), 400, 'invalid_value', 'x-inward-deadline-ms');
    expect(message).toBe('x-inward-deadline-ms must be a whole number from 1 to 3600000.');
  });

  test.each(['NaN', 'Infinity', '-'])('%s is not JSON', async (number) => {
    expectEnvelope(await post(`{"model":"default","messages":[{"role":"user","content":"a"}],"temperature":${number}}`), 400, 'invalid_json');
  });

  test('a number beyond float64', async () => {
    const body = '{"model":"default","messages":[{"role":"user","content":"a"}],"temperature":1e999}';
    expectEnvelope(await post(body), 400, 'invalid_value', 'temperature');
  });
});

describe('fields', () => {
  const refused: readonly (readonly [string, unknown])[] = [
    ['store', true],
    ['functions', [{}]],
    ['modalities', ['text', 'audio']],
    ['audio', { voice: 'alloy' }],
  ];
  test.each(refused)('%s = %j is refused by name', async (name, value) => {
    expectEnvelope(await post({ ...base, [name]: value }), 400, 'unsupported_parameter', name);
  });

  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
  const assistant = (more: object) => ({ messages: [{ role: 'assistant', ...more }] });
  const places: readonly (readonly [string, object, string, string, string])[] = [
    [
      'a function message',
      { messages: [{ role: 'function', content: 'a' }] },
      'unsupported_parameter',
      'messages[0].role',
      'use tool, with the id of the call',
    ],
    [
      'a tool message without its call',
      { messages: [{ role: 'tool', content: 'a' }] },
      'invalid_value',
      'messages[0].tool_call_id',
      'must be the id of the call that the message answers',
    ],
    [
      'a user who answers a call',
      { messages: [{ ...user('a'), tool_call_id: 'c' }] },
      'invalid_value',
      'messages[0].tool_call_id',
      'is only allowed in messages of a tool',
    ],
    [
      'a user who calls',
      { messages: [{ ...user('a'), tool_calls: [call] }] },
      'invalid_value',
      'messages[0].tool_calls',
      'is only allowed in messages of the assistant',
    ],
    [
      'a user who thinks',
      { messages: [{ ...user('a'), reasoning_content: 'b' }] },
      'invalid_value',
      'messages[0].reasoning_content',
      'is only allowed in messages of the assistant',
    ],
    ['an assistant who says nothing', assistant({ content: null }), 'invalid_value', 'messages[0].content', 'must be a string or an array'],
    [
      'arguments that are no JSON',
      assistant({ tool_calls: [{ ...call, function: { name: 'f', arguments: '{"a":' } }] }),
      'invalid_value',
      'messages[0].tool_calls[0].function.arguments',
      'must be the JSON text of an object',
    ],
    [
      'arguments that are a list',
      assistant({ tool_calls: [{ ...call, function: { name: 'f', arguments: '[1]' } }] }),
      'invalid_value',
      'messages[0].tool_calls[0].function.arguments',
      'must be the JSON text of an object',
    ],
    [
      'a call without a name',
      assistant({ tool_calls: [{ ...call, function: { arguments: '{}' } }] }),
      'invalid_value',
      'messages[0].tool_calls[0].function.name',
      'must be a string',
    ],
    ['a tool without a function', { tools: [{ type: 'function' }] }, 'invalid_value', 'tools[0].function', 'must be an object'],
    ['a tool of another type', { tools: [{ type: 'custom', custom: {} }] }, 'invalid_value', 'tools[0].type', 'must be function'],
    [
      'a name with blanks',
      { tools: [{ type: 'function', function: { name: 'a b' } }] },
      'invalid_value',
      'tools[0].function.name',
      'must be 1 to 128 letters, digits, _, - or .',
    ],
    ['too many tools', { tools: Array(129).fill(0) }, 'invalid_value', 'tools', 'must have a length of at most 128'],
    ['a call that must be made of no tool', { tool_choice: 'required' }, 'invalid_value', 'tool_choice', 'needs "tools" that can be called'],
    [
      'a tool that there is not',
      { tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: { type: 'function', function: { name: 'g' } } },
      'invalid_value',
      'tool_choice',
      'must name one of "tools"',
    ],
    ['a choice of another kind', { tool_choice: { type: 'allowed_tools', allowed_tools: {} } }, 'invalid_value', 'tool_choice', 'must'],
    [
      'strict that is no boolean',
      { tools: [{ type: 'function', function: { name: 'f', strict: 1 } }] },
      'invalid_value',
      'tools[0].function.strict',
      'must be a boolean',
    ],
    // The fake model writes no calls.
    [
      'a call that the model has no format for',
      { tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'required' },
      'rejected',
      'tools',
      'Calls as this model writes them (none) cannot be enforced',
    ],
    [
      'strict arguments of such a call',
      { tools: [{ type: 'function', function: { name: 'f', strict: true } }] },
      'rejected',
      'tools',
      'Calls as this model writes them (none) cannot be enforced',
    ],
    [
      'calls without an end',
      { tools: [{ type: 'function', function: { name: 'f', strict: true } }], ignore_eos: true },
      'invalid_value',
      'ignore_eos',
      'is not allowed with',
    ],
    ['an effort of no name', { reasoning_effort: 'extreme' }, 'invalid_value', 'reasoning_effort', 'must be one of none, minimal, low, medium, high, xhigh'],
    [
      'a switch that the template does not read',
      { chat_template_kwargs: { thinking: true } },
      'unsupported_parameter',
      'chat_template_kwargs.thinking',
      'leave it out: the chat template of this model does not read it',
    ],
    ['another variable of templates', { chat_template_kwargs: { bos_token: 'a' } }, 'unknown_parameter', 'chat_template_kwargs', 'it knows'],
  ];
  test.each(places)('%s', async (_, change, code, param, rule) => {
    expect(expectEnvelope(await post({ ...base, ...change }), 400, code, param)).toContain(rule);
  });

  test('an effort is refused where the template knows none, but for no thoughts at all', async () => {
    await using plain = await listen();
    Object.assign(plain.text.info, { reasoningVariables: [] });
    const ask = (effort: string) => plain.app.inject({ method: 'POST', url: '/v1/chat/completions', payload: { ...base, reasoning_effort: effort } });
    const message = expectEnvelope(await ask('high'), 400, 'unsupported_parameter', 'reasoning_effort');
    expect(message).toBe('reasoning_effort is not supported with that value; leave it out: the chat template of this model knows no such setting.');
    expect((await ask('none')).statusCode).toBe(200);
  });

  const schema = { type: 'object', properties: { age: { type: 'integer' } } };
  test.each([
    [{ type: 'json_object' }, { type: 'object' }],
    [{ type: 'json_schema', json_schema: { name: 'n', schema, strict: true } }, schema],
  ])('%j becomes a grammar, which the text side has looked at, and is wiped', async (format, meant) => {
    await using held = await listen({ script: say('{"age":7}') });
    expect((await held.app.inject({ method: 'POST', url: '/v1/chat/completions', payload: { ...base, response_format: format } })).statusCode).toBe(200);
    const seen = held.text.grammars.at(-1);
    expect({ kind: seen?.kind, schema: JSON.parse(Buffer.from(seen?.source ?? []).toString()) }).toEqual({ kind: 'schema', schema: meant });
    const grammar = held.engine.requests.at(-1)?.grammar;
    expect(grammar).toEqual({ kind: 'schema', source: new Uint8Array(seen?.source.length ?? 0) });
  });

  test.each([
    ['json', 'response_format'],
    [{ type: 'yaml' }, 'response_format.type'],
    [{ type: 'json_schema', json_schema: { schema } }, 'response_format.json_schema.name'],
    [{ type: 'json_schema', json_schema: { name: 'n', schema: 'x' } }, 'response_format.json_schema.schema'],
  ])('response_format %j is refused', async (format, path) => {
    expectEnvelope(await post({ ...base, response_format: format }), 400, 'invalid_value', path);
  });

  test('a schema that cannot be enforced is the fault of response_format', async () => {
    bench.text.failure = new InwardError('grammar_unenforceable', { keyword: 'uniqueItems', path: '#' });
    expectEnvelope(await post({ ...base, response_format: { type: 'json_object' } }), 400, 'rejected', 'response_format');
    bench.text.failure = undefined;
  });

  test('metadata belongs to stored answers: it changes nothing, goes nowhere, and what would be stored is refused', async () => {
    const metadata = { ward: 'zqxjvkw' };
    const response = await post({ ...base, store: false, metadata });
    expect([response.statusCode, response.body.includes('zqxjvkw')]).toEqual([200, false]);
    expect(JSON.stringify([bench.text.chats, bench.text.options, bench.engine.requests, bench.lines])).not.toContain('zqxjvkw');
    expectEnvelope(await post({ ...base, store: true, metadata }), 400, 'unsupported_parameter', 'store');
  });

  test('defaults of refused fields and harmless fields pass', async () => {
    const response = await post({
      ...base,
      messages: [
        { role: 'assistant', content: 'a', refusal: null, annotations: [], audio: null, tool_calls: [] },
        { ...user('b'), name: 'n' },
      ],
      ...{ n: 1, store: false, logprobs: false, top_logprobs: 0, logit_bias: {}, presence_penalty: 0, frequency_penalty: 0, tools: [], tool_choice: 'auto' },
      ...{ response_format: { type: 'text' }, modalities: ['text'], audio: null, user: 'u', metadata: { a: 'b' }, service_tier: 'auto' },
      ...{ temperature: null, top_p: null, seed: null, stop: null, max_tokens: null, stream: null, stream_options: null },
    });
    expect(response.statusCode).toBe(200);
    expect(bench.engine.requests.at(-1)?.sampling).toEqual({
      ...{ temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, logitBias: [] },
    });
  });

  test.each(['["__proto__"]', '"__proto__":{"polluted":1}', '"constructor":{"prototype":{"polluted":1}}', '"my_field":1'])('unknown: %s', async (field) => {
    const body = field.startsWith('[') ? field : `{${JSON.stringify(base).slice(1, -1)},${field}}`;
    const response = await post(body);
    expect(response.statusCode).toBe(400);
    expect(response.body).not.toMatch(/__proto__|constructor|my_field/);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('an unknown field inside a message is told by its place', async () => {
    expectEnvelope(await post({ ...base, messages: [{ ...user('a'), nickname: 'b' }] }), 400, 'unknown_parameter', 'messages[0]');
  });
});

describe('bodies', () => {
  test.each([
    ['malformed', '{"model": "default", messages}', 'invalid_json'],
    ['cut', '{"model": "default"', 'invalid_json'],
    ['two values', '{} {}', 'invalid_json'],
    ['empty', '', 'empty_body'],
    ['deep arrays', '['.repeat(1000), 'too_deep'],
    ['deep objects', '{"a":'.repeat(200), 'too_deep'],
    ['a byte order mark', '\ufeff{}', 'invalid_json'],
  ])('%s', async (_, body, code) => {
    expectEnvelope(await post(body), 400, code);
  });

  test.each([
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate half', [0xed, 0xa0, 0x80]],
    ['a cut character', [0xe2, 0x82]],
  ])('invalid UTF-8: %s', async (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"model":"'), Buffer.from(bytes), Buffer.from('"}')]);
    // A copy: what is injected is wiped where it lies.
    expectEnvelope(await post(Buffer.from(body)), 400, 'invalid_utf8');
    expect(await talk(bench.port, rawPost(body))).toMatch(/^HTTP\/1.1 400 .*"code":"invalid_utf8"/s);
  });

  test.each(['null', '1', '"text"', '[]', 'true'])('%s is not a request', async (body) => {
    expectEnvelope(await post(body), 400, 'invalid_value', 'body');
  });

  test('brackets inside strings do not count as depth', async () => {
    expect((await post({ ...base, messages: [user('[{"\\'.repeat(100))] })).statusCode).toBe(200);
  });

  test('over the limit, told by length or found while reading', async () => {
    expectEnvelope(await post({ ...base, messages: [user('x'.repeat(2048))] }), 413, 'body_too_large');
    const chunked = ['POST /v1/chat/completions HTTP/1.1', 'host: a', 'content-type: application/json', 'transfer-encoding: chunked', 'connection: close'];
    const answer = await talk(bench.port, `${chunked.join('\r\n')}\r\n\r\n1000\r\n${'x'.repeat(4096)}\r\n0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 413 .*"code":"body_too_large"/s);
  });

  test.each([
    ['text/plain', {}],
    ['application/x-www-form-urlencoded', {}],
    ['application/json; charset=latin1', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
    ['nonsense', {}],
  ])('media type %s %j', async (type, more) => {
    expectEnvelope(await post('{}', { 'content-type': type, ...more }), 415, 'media_type');
  });

  test('no media type at all', async () => {
    const answer = await talk(bench.port, 'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}');
    expect(answer).toMatch(/^HTTP\/1.1 415 .*"code":"media_type"/s);
  });

  test('a charset of UTF-8 is welcome', async () => {
    expect((await post(base, { 'content-type': 'application/json; charset=UTF-8' })).statusCode).toBe(200);
  });
});

describe('completions', () => {
  const complete = (body: object): Promise<LightMyRequestResponse> =>
    bench.app.inject({ method: 'POST', url: '/v1/completions', payload: { model: 'default', ...body } });
  const cases: readonly (readonly [string, object, string, string])[] = [
    ['prompt missing', {}, 'prompt', 'prompt must be a string or an array.'],
    ['prompt null', { prompt: null }, 'prompt', 'prompt must be a string or an array.'],
    ['prompt an object', { prompt: { a: 1 } }, 'prompt', 'prompt must be a string or an array.'],
    ['no prompts', { prompt: [] }, 'prompt', 'prompt must have a length of at least 1.'],
    ['too many prompts', { prompt: Array(129).fill('a') }, 'prompt', 'prompt must be at most 128 prompts.'],
    ['half a surrogate pair', { prompt: ['a', '\ud800'] }, 'prompt[1]', 'prompt[1] must be well-formed Unicode.'],
    ['an empty list of ids', { prompt: [[1], []] }, 'prompt[1]', 'prompt[1] must have a length of at least 1.'],
    ['ids and text', { prompt: [1, 'a'] }, 'prompt', 'prompt must be a string or a list of token ids.'],
    ['a broken id', { prompt: [[1, 1.5]] }, 'prompt[0]', 'prompt[0] must be a string or a list of token ids.'],
    ['a negative id', { prompt: [-1] }, 'prompt', 'prompt must be a string or a list of token ids.'],
    ['an id of 33 bits', { prompt: [2 ** 32] }, 'prompt', 'prompt must be a string or a list of token ids.'],
    ['an id beyond the vocabulary', { prompt: [[1], [300]] }, 'prompt', 'prompt must name token ids below 300.'],
    ['a prompt in a prompt', { prompt: [[[1]]] }, 'prompt[0]', 'prompt[0] must be a string or a list of token ids.'],
    ['a boolean prompt', { prompt: ['a', true] }, 'prompt[1]', 'prompt[1] must be a string or an array.'],
    ['too many choices', { prompt: Array(65).fill('a'), n: 2 }, 'n', 'n times the number of prompts must be at most 128.'],
    ['best_of zero', { prompt: 'a', best_of: 0 }, 'best_of', 'best_of must be at least 1.'],
    ['best_of huge', { prompt: 'a', best_of: 129 }, 'best_of', 'best_of must be at most 128.'],
    ['best_of a string', { prompt: 'a', best_of: '1' }, 'best_of', 'best_of must be a number.'],
    ['best_of below n', { prompt: 'a', n: 3, best_of: 2 }, 'best_of', 'best_of must be at least "n".'],
    ['best_of in a stream', { prompt: 'a', best_of: 2, stream: true }, 'best_of', 'best_of must be the value of "n" with "stream": true.'],
    ['too many candidates', { prompt: Array(43).fill('a'), best_of: 3 }, 'best_of', 'best_of times the number of prompts must be at most 128.'],
    ['max_tokens zero without echo', { prompt: 'a', max_tokens: 0 }, 'max_tokens', 'max_tokens must be at least 1, unless "echo" is true.'],
    ['max_tokens negative', { prompt: 'a', max_tokens: -1, echo: true }, 'max_tokens', 'max_tokens must be at least 0.'],
    ['echo a string', { prompt: 'a', echo: 'yes' }, 'echo', 'echo must be a boolean.'],
    ['logprobs a boolean', { prompt: 'a', logprobs: true }, 'logprobs', 'logprobs must be a number.'],
    ['logprobs high', { prompt: 'a', logprobs: 21 }, 'logprobs', 'logprobs must be at most 20.'],
  ];
  test.each(cases)('%s', async (_, body, param, message) => {
    expect(expectEnvelope(await complete(body), 400, 'invalid_value', param)).toBe(message);
  });

  test.each([['suffix', 'the end']])('%s = %j is refused by name', async (name, value) => {
    expectEnvelope(await complete({ prompt: 'a', [name]: value }), 400, 'unsupported_parameter', name);
  });

  test.each(['messages', 'max_completion_tokens', 'top_logprobs', 'tools'])('%s is not a field of it', async (name) => {
    expectEnvelope(await complete({ prompt: 'a', [name]: 1 }), 400, 'unknown_parameter', 'body');
  });

  test('defaults pass', async () => {
    const defaults = {
      suffix: '',
      best_of: null,
      n: 2,
      service_tier: null,
      priority: null,
      cache_salt: null,
      echo: false,
      logprobs: null,
      stop: null,
      user: 'u',
      logit_bias: null,
      max_tokens: null,
    };
    expect((await complete({ prompt: 'a', ...defaults })).statusCode).toBe(200);
  });

  test('a prompt without tokens', async () => {
    await using bare = await listen();
    bare.text.encode = async () => new Uint32Array();
    const response = await bare.app.inject({ method: 'POST', url: '/v1/completions', payload: { model: 'default', prompt: '' } });
    expect(expectEnvelope(response, 400, 'rejected', 'prompt')).toContain('The prompt has no tokens.');
  });

  test('a prompt beyond the context', async () => {
    await using narrow = await listen({ info: { contextLength: 4 } });
    const response = await narrow.app.inject({ method: 'POST', url: '/v1/completions', payload: { model: 'default', prompt: 'abc' } });
    expect(expectEnvelope(response, 400, 'context_length_exceeded', 'prompt')).toMatch(/has 4 tokens and the context holds 4, .* shorten prompt\.$/);
  });

  test('more log-probabilities than one answer may hold', async () => {
    await using roomy = await listen();
    const body = { model: 'default', prompt: Array(16).fill(Array(4000).fill(1)), echo: true, max_tokens: 0, logprobs: 20 };
    const response = await roomy.app.inject({ method: 'POST', url: '/v1/completions', payload: body });
    expect(expectEnvelope(response, 400, 'invalid_value', 'logprobs')).toContain('more than 1000000 numbers');
    expect(roomy.engine.requests).toHaveLength(0);
  });
});

describe('routes', () => {
  test.each(['/', '/v1', '/v1/completions/x', '/v1/chat/completions/x', '/%zz', `/v1/models/${'x'.repeat(500)}`])('%s is not there', async (url) => {
    expectEnvelope(await bench.app.inject({ url }), 404, 'route_not_found');
  });

  test.each([
    ['GET', '/v1/chat/completions', 'POST'],
    ['DELETE', '/v1/chat/completions', 'POST'],
    ['GET', '/v1/completions', 'POST'],
    ['POST', '/v1/models', 'GET, HEAD'],
    ['PUT', '/v1/models/x', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['OPTIONS', '/ready', 'GET, HEAD'],
    ['POST', '/metrics', 'GET, HEAD'],
  ] as const)('%s %s', async (method, url, allow) => {
    const response = await bench.app.inject({ method, url });
    expectEnvelope(response, 405, 'method_not_allowed');
    expect(response.headers['allow']).toBe(allow);
  });

  test('an unknown model', async () => {
    expect(expectEnvelope(await post({ ...base, model: 'gpt-4o' }), 404, 'model_not_found', 'model')).toContain('"fake-model"');
    expectEnvelope(await bench.app.inject({ url: '/v1/models/gpt-4o' }), 404, 'model_not_found', 'model');
  });

  test('health and readiness', async () => {
    expect((await bench.app.inject({ url: '/health' })).json()).toEqual({ status: 'alive' });
    const ready = await bench.app.inject({ url: '/ready' });
    expect([ready.statusCode, ready.json()]).toEqual([200, { status: 'ready' }]);
  });
});

describe('connections', () => {
  test('what is not HTTP', async () => {
    expect(await talk(bench.port, 'hello there\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*"code":"bad_request"/s);
  });

  test('headers over the limit', async () => {
    expect(await talk(bench.port, `GET /health HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 .*"code":"headers_too_large"/s,
    );
  });

  test('a body that never comes', async () => {
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{';
    expect(await talk(bench.port, head)).toMatch(/^HTTP\/1.1 408 .*"code":"request_timeout"/s);
  });

  test('a body that is cut, and the server goes on', async () => {
    const { connect } = await import('node:net');
    const socket = connect(bench.port, '127.0.0.1', () =>
      socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{', () => socket.destroy()),
    );
    await new Promise((resolve) => socket.once('close', resolve));
    expect((await fetch(`${bench.url}/health`)).status).toBe(200);
  });
});

test('after all that the server still answers', async () => {
  const response = await post(base);
  expect(response.json<{ choices: { message: { content: string } }[] }>().choices[0]?.message.content).toBe('Hello, world.');
});
