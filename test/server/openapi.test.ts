/** The document of the API against the routes that there are, the requests that they take and the answers that they give. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { routePatterns } from '../../server/privacy/words.ts';
import { endId } from '../fake-text.ts';
import { listen, talk, user } from './help.ts';
import { format, written } from './openai/answering.ts';

type Json = Record<string, unknown>;
interface Operation {
  readonly operationId: string;
  readonly security?: readonly object[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Json } } };
  readonly responses: Record<string, { readonly content: Json }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

async function read(): Promise<Document> {
  await using bench = await listen();
  const response = await bench.app.inject({ method: 'GET', url: '/openapi.json' });
  expect([response.statusCode, response.headers['content-type'], response.headers['cache-control']]).toEqual([
    200,
    'application/json; charset=utf-8',
    'no-store',
  ]);
  return response.json<Document>();
}
const schemaOf = (document: Document, path: string): Json => document.paths[path]?.['post']?.requestBody?.content['application/json'].schema ?? {};
const fieldsOf = (schema: Json): string[] => Object.keys(schema['properties'] as object);

test('every route is there, by the method that it takes, under an id of its own', async () => {
  const document = await read();
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths).sort()).toEqual(routePatterns.map((url) => url.replace(':id', '{id}')).sort());
  await using bench = await listen();
  for (const [path, operations] of Object.entries(document.paths)) {
    const [method = ''] = Object.keys(operations);
    expect(bench.app.hasRoute({ method: method.toUpperCase() as 'GET', url: path.replace('{id}', ':id') })).toBe(true);
    expect((await bench.app.inject({ method: method === 'get' ? 'POST' : 'GET', url: path.replace('{id}', 'a') })).statusCode).toBe(405);
  }
  // What has a meaning for any path.
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'QUERY']) {
    const answer = await talk(bench.port, `${method} /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 405 .*\r\nallow: GET, HEAD\r\n/s);
  }
  const ids = Object.values(document.paths).flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId));
  expect(new Set(ids).size).toBe(routePatterns.length);
  expect(ids).toContain('postV1ChatCompletions');
  const open = Object.entries(document.paths).filter(([, { get }]) => get?.security?.length === 0);
  expect(open.map(([path]) => path).sort()).toEqual(['/docs', '/health', '/openapi.json', '/ready']);
});

test('bodies are what is checked: the fields that a refusal names, and what lists hold', async () => {
  const document = await read();
  await using bench = await listen();
  const messages = [user('a')];
  const least = {
    '/v1/chat/completions': { messages },
    '/v1/completions': { prompt: 'a' },
    '/v1/responses': { input: 'a' },
    '/v1/messages': { messages, max_tokens: 1 },
    '/v1/messages/count_tokens': { messages },
  };
  for (const [url, fields] of Object.entries(least)) {
    const answer = await bench.app.inject({ method: 'POST', url, payload: { model: 'default', ...fields, nothing: 1 } });
    const known = /it knows: (.*)\.$/.exec(answer.json<{ error: { message: string } }>().error.message)?.[1]?.split(', ') ?? [];
    expect(fieldsOf(schemaOf(document, url)).sort()).toEqual(known.sort());
    expect(schemaOf(document, url)['additionalProperties']).toBe(false);
  }
  const chat = schemaOf(document, '/v1/chat/completions') as { required: string[]; properties: Record<string, Json> };
  expect(chat.required.sort()).toEqual(['messages', 'model']);
  expect(chat.properties['messages']).toMatchObject({
    type: 'array',
    minItems: 1,
    maxItems: 4096,
    items: { type: 'object', required: ['role'], additionalProperties: false },
  });
  expect(chat.properties['store']).toMatchObject({ anyOf: [{ enum: [null, false] }, { maxItems: 0, maxProperties: 0 }] });
  expect(chat.properties['seed']).toMatchObject({ anyOf: [{ type: 'integer', minimum: 0, maximum: 4_294_967_295 }, { type: 'null' }] });
  const anthropic = schemaOf(document, '/v1/messages') as { properties: Record<string, { items: { properties: { content: { anyOf: Json[] } } } }> };
  const [, blocks] = anthropic.properties['messages']?.items.properties.content.anyOf ?? [];
  expect((blocks as { items: { anyOf: { properties: { type: { const: string } } }[] } }).items.anyOf.map(({ properties }) => properties.type.const)).toEqual([
    ...['text', 'thinking', 'redacted_thinking', 'tool_use', 'tool_result'],
  ]);
});

/** Whole answers of every route that has a schema of its own, with all that can be in one. */
const asked: Readonly<Record<string, readonly object[]>> = {
  '/v1/chat/completions': [
    { messages: [user('a')] },
    { messages: [user('a')], n: 2, service_tier: 'flex', logprobs: true, top_logprobs: 2, tools: [{ type: 'function', function: { name: 'find' } }] },
    { messages: [user('a')], max_tokens: 3 },
  ],
  '/v1/completions': [{ prompt: 'a' }, { prompt: ['a', 'b'], echo: true, logprobs: 2, max_tokens: 4 }],
  '/v1/responses': [
    { input: 'a', max_output_tokens: 3 },
    { input: 'a', include: ['message.output_text.logprobs'], top_logprobs: 2, tools: [{ type: 'function', name: 'find' }] },
  ],
  '/v1/messages': [
    { messages: [user('a')], max_tokens: 3 },
    { messages: [user('a')], max_tokens: 900, stop_sequences: ['zz'], tools: [{ name: 'find', input_schema: {} }] },
  ],
  '/v1/messages/count_tokens': [{ messages: [user('a')] }],
  '/tokenize': [{ prompt: 'a' }, { messages: [user('a')], return_token_strs: true }],
  '/detokenize': [{ tokens: [65] }],
  '/v1/chat/completions/render': [{ messages: [user('a')] }],
};

test('whole answers are what the document says, and no field may be missing or too many', async () => {
  const { paths } = await read();
  const ajv = new Ajv2020({ strict: false });
  const check = (path: string, method: 'get' | 'post', answer: Json): void => {
    const content = paths[path]?.[method]?.responses['200']?.content['application/json'] as { schema: Json };
    const isTrue = ajv.compile(content.schema);
    expect([isTrue(answer), isTrue.errors]).toEqual([true, null]);
    for (const field of Object.keys(answer)) {
      const { [field]: _, ...less } = answer;
      // A response may repeat settings; the tier is there where it was asked for.
      if ((content.schema['required'] as string[]).includes(field)) expect(isTrue(less)).toBe(false);
      else expect([path, field]).toEqual([expect.stringMatching(/responses|chat/), expect.any(String)]);
    }
    if (path !== '/v1/responses') expect(isTrue({ ...answer, nothing: 1 })).toBe(false);
  };
  await using bench = await listen({ script: () => [...Buffer.from(written), endId] });
  bench.text.format = format;
  for (const [url, bodies] of Object.entries(asked)) {
    for (const body of bodies) {
      const response = await bench.app.inject({ method: 'POST', url, payload: { model: 'default', ...body } });
      expect(response.statusCode, response.body).toBe(200);
      check(url, 'post', response.json());
    }
  }
  const identified = await bench.app.inject({ method: 'POST', url: '/v1/deidentify', payload: { text: 'Seen on March 3, 2024.' } });
  expect(identified.json<{ spans: unknown[] }>().spans).toHaveLength(1);
  check('/v1/deidentify', 'post', identified.json());
  for (const url of ['/v1/models', '/v1/models/default', '/tokenizer_info', '/health', '/ready'])
    check(url.replace('default', '{id}'), 'get', (await bench.app.inject({ method: 'GET', url })).json());
});

test('embeddings are what the document says', async () => {
  const { paths } = await read();
  const encoder = { length: 2, isNormalized: true, pooling: 'mean' } as const;
  const embedding = () => Float32Array.of(0.6, 0.8);
  await using bench = await listen({ info: { encoder }, script: () => [], embedding });
  for (const encoding_format of ['float', 'base64']) {
    const response = await bench.app.inject({ method: 'POST', url: '/v1/embeddings', payload: { model: 'default', input: ['a', 'b'], encoding_format } });
    const content = paths['/v1/embeddings']?.['post']?.responses['200']?.content['application/json'] as { schema: Json };
    expect(new Ajv2020({ strict: false }).validate(content.schema, response.json()), response.body).toBe(true);
  }
});

test('what is said of errors and streams', async () => {
  const { paths } = await read();
  expect(paths['/v1/messages']?.['post']?.responses['default']?.content).toEqual({
    'application/json': { schema: { $ref: '#/components/schemas/AnthropicError' } },
  });
  expect(Object.keys(paths['/v1/responses']?.['post']?.responses['200']?.content ?? {})).toEqual(['application/json', 'text/event-stream']);
  expect(Object.keys(paths['/tokenize']?.['post']?.responses['200']?.content ?? {})).toEqual(['application/json']);
});

test('the page has every route, and nothing of it comes from elsewhere or runs', async () => {
  await using bench = await listen();
  const { body, headers } = await bench.app.inject({ method: 'GET', url: '/docs' });
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  for (const url of routePatterns) expect(body).toContain(url.replace(':id', '{id}'));
  expect(body).not.toMatch(/<script|<link|<img|src=|@import|url\(|https?:|\son\w+=/i);
  expect(body).toContain('reasoning_effort');
  // Every link leads to a place of the page, but for the one to the document.
  const places = new Set([...body.matchAll(/id="([^"]+)"/g)].map(([, id]) => `#${id}`));
  expect([...body.matchAll(/href="([^"]+)"/g)].map(([, href]) => href).filter((href = '') => !places.has(href))).toEqual(['/openapi.json']);
  expect(places.size).toBe(routePatterns.length);
});
