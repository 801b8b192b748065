/**
 * Owns what is sent: every place of a request that can hold content, valid or broken, with new markers in it. A place that the server does not
 * know today is here too: it must refuse it without a word of it.
 */
import type { RoutePattern } from '../privacy/words.ts';

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The client goes away: when the first bytes of the answer are here, or in the middle of its own. */
  readonly leaves?: 'answer' | 'body';
}

export interface Case {
  readonly name: string;
  /** Changes a request that would be answered. `next` gives a marker. */
  readonly make: (next: () => string, sent: Sent, limits: Limits) => Sent;
}

export interface Limits {
  /** Largest body that the server takes, in bytes. */
  readonly bodySize: number;
}

/** An answer that meets it says the words of it. */
function writeSchema(next: () => string): object {
  const [name, word] = [next(), next()];
  return { type: 'object', description: next(), properties: { [name]: { enum: [word] } }, required: [name], additionalProperties: false };
}

/** More than this is only announced. */
const bodySizeLimit = 2 ** 25;

/** A request that the route answers. `known`: the marker whose ids are looked for; the others are not known as ids. */
export function createRequest(route: RoutePattern, authorization: string, next: () => string, known: string): Sent {
  const common = { path: route.replace(':id', 'default'), headers: { authorization, 'content-type': 'application/json' } };
  const fields = { model: 'default', max_tokens: 4, temperature: 0 };
  const messages = () => [{ role: 'user', content: `${known} ${next()}` }];
  const body = ((): object | undefined => {
    switch (route) {
      case '/v1/chat/completions':
      case '/v1/chat/completions/render':
      case '/v1/messages':
        return { ...fields, messages: messages() };
      case '/v1/completions':
        return { ...fields, prompt: `${known} ${next()}` };
      case '/v1/embeddings':
        return { model: 'default', input: `${known} ${next()}` };
      case '/tokenize':
        return { model: 'default', prompt: `${known} ${next()}` };
      case '/v1/deidentify':
        return { text: `${known} ${next()}` };
      case '/detokenize':
        return { model: 'default', tokens: [1, 2, 3] };
      case '/v1/responses':
        return { model: 'default', max_output_tokens: 4, temperature: 0, input: `${known} ${next()}` };
      case '/v1/messages/count_tokens':
        return { model: 'default', messages: messages() };
      default:
        return undefined;
    }
  })();
  if (body !== undefined) return { ...common, method: 'POST', body: JSON.stringify(body) };
  return { ...common, method: 'GET', headers: { authorization } };
}

type Fields = Readonly<Record<string, unknown>>;

/** Changes fields of the body; what a route does not know, it refuses. */
const field = (name: string, make: (next: () => string) => Fields): Case => ({
  name,
  make: (next, sent) => ({ ...sent, body: JSON.stringify({ ...(JSON.parse(String(sent.body)) as Fields), ...make(next) }) }),
});
const whole = (name: string, make: Case['make']): Case => ({ name, make });
const leading = (next: () => string) => ({
  prompt: `${next()} and ${next()}`,
  input: `${next()} and ${next()}`,
  messages: [{ role: 'user', content: `${next()} and ${next()}` }],
});
/** Of the forms of a prompt, the one that this request has. */
const keepPrompt = (sent: Sent, fields: Fields): Fields => {
  const known = JSON.parse(String(sent.body)) as Fields;
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name in known));
};
const prompted = (name: string, extra: Fields, change: Partial<Sent> = {}): Case =>
  whole(name, (next, sent) => ({
    ...sent,
    ...change,
    headers: { ...sent.headers, ...change.headers },
    body: JSON.stringify({ ...(JSON.parse(String(sent.body)) as Fields), ...keepPrompt(sent, leading(next)), ...extra }),
  }));

/** For the routes that compute. */
export const bodyCases: readonly Case[] = [
  prompted('a prompt', {}),
  prompted('a stream', { stream: true, stream_options: { include_usage: true } }),
  prompted('several choices with log-probabilities', { n: 2, temperature: 1, seed: 7 }),
  prompted('a client that leaves a stream', { stream: true, max_tokens: 64, ignore_eos: true }, { leaves: 'answer' }),
  prompted('a client that leaves before its body ends', {}, { leaves: 'body' }),
  prompted('a deadline', { max_tokens: 64, ignore_eos: true }, { headers: { 'x-inward-deadline-ms': '1' } }),
  field('stop strings', (next) => ({ stop: [next(), next()] })),
  field('user and metadata', (next) => ({ user: next(), metadata: { [next()]: next() }, safety_identifier: next() })),
  field('the name of the model', (next) => ({ model: next() })),
  field('a salt of the cache', (next) => ({ cache_salt: next() })),
  field('an unknown role', (next) => ({ messages: [{ role: next(), content: next() }] })),
  field('an order of roles that a template may refuse', (next) => ({
    messages: [
      { role: 'assistant', content: next() },
      { role: 'system', content: next() },
      { role: 'assistant', content: next() },
    ],
  })),
  field('parts of a message', (next) => ({
    messages: [
      {
        role: 'user',
        name: next(),
        content: [
          { type: 'text', text: next() },
          { type: next(), [next()]: next() },
        ],
      },
    ],
  })),
  field('turns of a tool', (next) => ({
    messages: [
      { role: 'user', content: next() },
      {
        role: 'assistant',
        reasoning_content: next(),
        tool_calls: [{ id: next(), type: 'function', function: { name: next(), arguments: JSON.stringify({ [next()]: next() }) } }],
      },
      { role: 'tool', tool_call_id: next(), content: next() },
    ],
  })),
  field('blocks of a message', (next) => ({
    system: [{ type: 'text', text: next() }],
    messages: [
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: next(), signature: next() },
          { type: 'tool_use', id: next(), name: next(), input: { [next()]: next() } },
        ],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: next(), content: next() }] },
    ],
  })),
  field('items of a response', (next) => ({
    instructions: next(),
    input: [
      { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: next() }] },
      { type: 'function_call', call_id: next(), name: next(), arguments: JSON.stringify({ [next()]: next() }) },
      { type: 'function_call_output', call_id: next(), output: next() },
      { type: next(), [next()]: next() },
    ],
  })),
  field('a schema of the answer', (next) => ({ response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: writeSchema(next) } } })),
  field('a schema of a response', (next) => ({ text: { format: { type: 'json_schema', name: next(), schema: writeSchema(next) } } })),
  field('a schema of a message', (next) => ({ output_config: { format: { type: 'json_schema', schema: writeSchema(next) } } })),
  field('calls that must be made', (next) => {
    const [name, parameters] = [next(), writeSchema(next)];
    return { tools: [{ type: 'function', function: { name, parameters, strict: true } }], tool_choice: { type: 'function', function: { name } } };
  }),
  field('what would be stored', (next) => ({ previous_response_id: next(), conversation: next() })),
  field('tools', (next) => ({ tools: [{ type: 'function', function: { name: next(), description: next() } }] })),
  field('an unknown field', (next) => ({ [next()]: next() })),
  field('text in place of numbers', (next) => ({ temperature: next(), n: next(), max_tokens: next(), logit_bias: { [next()]: 1 } })),
  field('a prompt of another type', (next) => ({ prompt: { [next()]: next() }, messages: { [next()]: next() } })),
  whole('no object', (next, sent) => ({ ...sent, body: JSON.stringify(next()) })),
  whole('malformed JSON', (next, sent) => ({ ...sent, body: `{"prompt":"${next()}","${next()}` })),
  whole('something behind the JSON', (next, sent) => ({ ...sent, body: `${String(sent.body)}${next()}` })),
  whole('bad UTF-8', (next, sent) => ({
    ...sent,
    body: Buffer.concat([Buffer.from(`{"prompt":"${next()}`), Buffer.from([0xff, 0xfe]), Buffer.from(`${next()}"}`)]),
  })),
  whole('nesting too deep', (next, sent) => ({ ...sent, body: `${'['.repeat(64)}"${next()}"${']'.repeat(64)}` })),
  whole('a body that is too large', (next, sent, { bodySize }) => ({
    ...sent,
    ...(bodySize > bodySizeLimit && { headers: { ...sent.headers, 'content-length': String(bodySize + 1) }, leaves: 'body' }),
    body: `{"prompt":"${next()}${' '.repeat(Math.min(bodySize, bodySizeLimit))}"}`,
  })),
  whole('another media type', (next, sent) => ({ ...sent, headers: { ...sent.headers, 'content-type': `text/${next()}` }, body: next() })),
  whole('another encoding', (next, sent) => ({ ...sent, headers: { ...sent.headers, 'content-encoding': next() } })),
  field('text that is too long', (next) => {
    const text = `${next()}${' word'.repeat(50_000)}`;
    return { prompt: text, input: text, messages: [{ role: 'user', content: text }] };
  }),
];

// biome-ignore format: a list
const headerNames = [
  'x-inward-purpose', 'x-inward-region', 'x-inward-correlation', 'x-inward-no-cache', 'x-inward-tenant', 'x-request-id', 'x-api-key', 'anthropic-version', 'accept', 'accept-language', 'cookie', 'user-agent',
  'referer', 'origin', 'forwarded', 'x-forwarded-for', 'traceparent', 'tracestate', 'baggage', 'idempotency-key', 'openai-organization', 'if-none-match',
] as const;

/** For every route. */
export const commonCases: readonly Case[] = [
  whole('as it should be', (_, sent) => sent),
  whole('header fields that are read or common', (next, sent) => ({
    ...sent,
    headers: { ...Object.fromEntries(headerNames.map((name) => [name, next()])), ...sent.headers },
  })),
  whole('a header field that nobody knows', (next, sent) => ({ ...sent, headers: { ...sent.headers, [`x-${next()}`]: next() } })),
  whole('a query', (next, sent) => ({ ...sent, path: `${sent.path}?${next()}=${next()}` })),
  whole('a path below', (next, sent) => ({ ...sent, path: `${sent.path}/${next()}` })),
  whole('a path that cannot be read', (next, sent) => ({ ...sent, path: `${sent.path}/%zz${next()}` })),
  whole('another path', (next, sent) => ({ ...sent, path: `/${next()}` })),
  whole('another method', (next, sent) => ({
    ...sent,
    method: 'PUT',
    headers: { ...sent.headers, 'content-type': 'application/json' },
    body: JSON.stringify({ [next()]: next() }),
  })),
  whole('a key that is none', (next, sent) => ({ ...sent, headers: { ...sent.headers, authorization: `Bearer ${next()}` } })),
  whole('a key of the right form', (next, sent) => ({ ...sent, headers: { ...sent.headers, authorization: `Bearer inw_eval_${next()}` } })),
  whole('another scheme', (next, sent) => ({ ...sent, headers: { ...sent.headers, authorization: `${next()} ${next()}` } })),
];
