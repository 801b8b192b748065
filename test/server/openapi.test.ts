/** The document of the API against the routes that there are and the requests that they take. */
import { expect, test } from 'vitest';
import { routePatterns } from '../../server/privacy/words.ts';
import { listen, user } from './help.ts';

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
  expect(chat.properties['store']).toMatchObject({ enum: [null, false] });
  expect(chat.properties['seed']).toMatchObject({ anyOf: [{ type: 'integer', minimum: 0, maximum: 4_294_967_295 }, { type: 'null' }] });
  const anthropic = schemaOf(document, '/v1/messages') as { properties: Record<string, { items: { properties: { content: { anyOf: Json[] } } } }> };
  const [, blocks] = anthropic.properties['messages']?.items.properties.content.anyOf ?? [];
  expect((blocks as { items: { anyOf: { properties: { type: { const: string } } }[] } }).items.anyOf.map(({ properties }) => properties.type.const)).toEqual([
    ...['text', 'thinking', 'redacted_thinking', 'tool_use', 'tool_result'],
  ]);
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
