/**
 * Owns GET /openapi.json: the document of the HTTP API (OpenAPI 3.1), whose bodies are the schemas that requests are checked by. Made once, of nothing
 * that a request or the site has, so that it is open to everybody as /health is.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { documented } from './openai/validate.ts';
import { answerSchemas } from './openapi-answers.ts';
import { createPage } from './openapi-page.ts';
import { type RoutePattern, routePatterns } from './privacy/words.ts';

/** A route that takes a body. */
export interface BodyRoute {
  readonly url: RoutePattern;
  readonly body: z.ZodType;
  /** It may answer as a stream. */
  readonly canStream: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** One operation, as the document and the page have it. */
export interface Operation {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly summary: string;
  readonly isOpen: boolean;
  readonly body: Json | undefined;
  /** Of a whole answer that is JSON. */
  readonly answer: Json;
  readonly canStream: boolean;
}

const summaries: Readonly<Record<Exclude<RoutePattern, '(unknown)'>, string>> = {
  '/v1/chat/completions': 'A chat completion',
  '/v1/chat/completions/render': 'The token ids of the prompt of a chat completion',
  '/v1/completions': 'A text completion, or the score of a text',
  '/v1/embeddings': 'Vectors of texts, of an encoder',
  '/v1/responses': 'A response, of which nothing is stored',
  '/v1/messages': "A message, in Anthropic's format",
  '/v1/messages/count_tokens': 'How many tokens the prompt of a message has',
  '/v1/models': 'The models that are served',
  '/v1/models/:id': 'One of them',
  '/tokenize': 'The token ids of a text or chat',
  '/detokenize': 'The text of token ids',
  '/tokenizer_info': 'Which tokens begin and end a text',
  '/v1/deidentify': 'A text without its identifiers, where they were and how many',
  '/inward/status': 'How the site stands; for people',
  '/inward/review': 'Who may do what; for compliance and auditors',
  '/health': 'Whether the process lives',
  '/ready': 'Whether requests are taken',
  '/metrics': "Numbers in Prometheus' text format",
  '/openapi.json': 'This document',
  '/docs': 'This document as a page',
};

const openRoutes: ReadonlySet<RoutePattern> = new Set<RoutePattern>(['/health', '/ready', '/openapi.json', '/docs']);

export function addDocumentRoutes(app: FastifyInstance, bodies: readonly BodyRoute[], version: string): void {
  // Made when first asked for: most servers are never.
  let operations: readonly Operation[] | undefined;
  const list = (): readonly Operation[] => (operations ??= listOperations(bodies));
  app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(JSON.stringify(createDocument(list(), version))));
  app.get('/docs', (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .headers({
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        'x-content-type-options': 'nosniff',
      })
      .send(createPage(list(), version)),
  );
}

function listOperations(bodies: readonly BodyRoute[]): readonly Operation[] {
  return routePatterns.map((url) => {
    const route = bodies.find((one) => one.url === url);
    return {
      method: route === undefined ? 'get' : 'post',
      path: url.replace(':id', '{id}'),
      summary: summaries[url],
      isOpen: openRoutes.has(url),
      body: route && toJson(route.body),
      answer: toJson(answerSchemas[url] ?? z.looseObject({})),
      canStream: route?.canStream ?? false,
    };
  });
}

function createDocument(operations: readonly Operation[], version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Inward',
      version,
      description: 'Private LLM inference that stays inside the hospital. docs/api.md says what each field means.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { apiKey: [] }],
    paths: Object.fromEntries(operations.map((operation) => [operation.path, { [operation.method]: describe(operation) }])),
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' }, apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' } },
      schemas: { Error: errorSchema, AnthropicError: anthropicErrorSchema },
    },
  };
}

function describe({ method, path, summary, isOpen, body, answer, canStream }: Operation): Json {
  const name = path.startsWith('/v1/messages') ? 'AnthropicError' : 'Error';
  const type = path === '/metrics' ? 'text/plain' : path === '/docs' ? 'text/html' : 'application/json';
  const content = {
    [type]: { schema: type === 'application/json' ? answer : { type: 'string' } },
    // What a schema here would be about, the whole or an event, OpenAPI 3.1 leaves open.
    ...(canStream ? { 'text/event-stream': {} } : {}),
  };
  return {
    operationId: `${method}${path.replace(/[^a-z0-9]+(.)?/gi, (_, letter: string | undefined) => letter?.toUpperCase() ?? '')}`,
    summary,
    ...(isOpen ? { security: [] } : {}),
    ...(path.includes('{id}') ? { parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }] } : {}),
    ...(body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      '200': { description: summary, content },
      ...(path === '/ready' ? { '503': { description: 'Not now; the state says why.', content } } : {}),
      default: { description: 'Refused or failed; the code says why.', content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } },
    },
  };
}

const errorSchema: Json = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: { message: { type: 'string' }, type: { type: 'string' }, param: { type: ['string', 'null'] }, code: { type: 'string' } },
    },
  },
};
const anthropicErrorSchema: Json = {
  type: 'object',
  required: ['type', 'error'],
  properties: { type: { const: 'error' }, error: (errorSchema['properties'] as Json)['error'] },
};

function dropType({ required, ...schema }: Json): Json {
  return { ...schema, required: (required as readonly string[]).filter((field) => field !== 'type') };
}

/** As draft 2020-12 has it, which OpenAPI 3.1 takes. */
function toJson(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const known = documented.get(zodSchema);
      if (known?.json !== undefined) Object.assign(jsonSchema, known.json);
      if (known?.items !== undefined) Object.assign(jsonSchema, { items: toJson(known.items) });
      if (known?.anyOf !== undefined) {
        for (const key of Object.keys(jsonSchema)) delete jsonSchema[key as keyof typeof jsonSchema];
        Object.assign(jsonSchema, { anyOf: known.anyOf.map((one) => (one === known.untyped ? dropType(toJson(one)) : toJson(one))) });
      }
    },
  });
  return json;
}
