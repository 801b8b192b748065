/**
 * Owns the dialect of POST /v1/chat/completions: what is taken, what is ignored, what is refused by name, and the shapes
 * of its choices. Refuses every field that is not listed: a setting that silently does nothing would be a wrong answer.
 */
import { z } from 'zod';
import { type Grammar, grammarLimit } from '../../runtime/index.ts';
import type { ChatMessage, TextModel } from '../../runtime/text/index.ts';
import type { Dialect } from './dialect.ts';
import { ApiError } from './errors.ts';
import { type AnswerRequest, alternatives, readShared, sharedShape, tokenLimit } from './fields.ts';
import { toChatLogprobs } from './logprobs.ts';
import { ignored, listOf, text, unsupported, validate } from './validate.ts';

const part = z.strictObject({ type: z.literal('text'), text });

const message = z.strictObject({
  role: z
    .enum(['system', 'developer', 'user', 'assistant', 'tool', 'function'])
    .refine((role) => role !== 'tool' && role !== 'function', { params: { unsupported: true } }),
  content: z.union([text, listOf(part, 1024)]),
  name: text.nullish(),
  // What clients send back when they repeat an answer of ours.
  refusal: unsupported(),
  annotations: unsupported(),
  audio: unsupported(),
  tool_calls: unsupported(),
  function_call: unsupported(),
});

const isText = (value: unknown): boolean => value === 'text';
const unsupportedUnless = (isNeutral: (value: object) => boolean): z.ZodType<unknown> =>
  z
    .unknown()
    .refine((value) => value === null || value === undefined || isNeutral(value), { params: { unsupported: true } })
    .optional();

const responseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({ name: text, description: text.nullish(), schema: z.record(z.string(), z.unknown()), strict: z.boolean().nullish() }),
  }),
]);

const shape = {
  ...sharedShape,
  messages: listOf(message, 4096),
  max_tokens: tokenLimit(1),
  max_completion_tokens: tokenLimit(1),
  logprobs: z.boolean().nullish(),
  top_logprobs: alternatives,

  store: unsupported(false),
  tools: unsupported(),
  tool_choice: unsupported('none', 'auto'),
  functions: unsupported(),
  function_call: unsupported('none', 'auto'),
  response_format: responseFormat.nullish(),
  modalities: unsupportedUnless((value) => Array.isArray(value) && value.every(isText)),
  audio: unsupported(),
  reasoning_effort: unsupported('none'),
  verbosity: unsupported('medium'),
  web_search_options: unsupported(),
  moderation: unsupported(),

  metadata: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_retention: ignored,
  parallel_tool_calls: ignored,
  prediction: ignored,
};
const body = z.strictObject(shape);

export function createChatDialect(model: TextModel): Dialect {
  return {
    url: '/v1/chat/completions',
    promptField: 'messages',
    idPrefix: 'chatcmpl-',
    objects: { whole: 'chat.completion', chunk: 'chat.completion.chunk' },
    parse,
    whole: (index, { text: content, tokens }, reason) => ({
      index,
      message: { role: 'assistant', content, refusal: null },
      logprobs: toChatLogprobs(model, tokens),
      finish_reason: reason,
    }),
    opening: (index) => ({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }),
    delta: (index, { text: content, tokens }) => ({ index, delta: { content }, logprobs: toChatLogprobs(model, tokens), finish_reason: null }),
    closing: (index, reason) => ({ index, delta: {}, logprobs: null, finish_reason: reason }),
  };
}

function parse(value: unknown): AnswerRequest {
  const chat = validate(body, value, Object.keys(shape));
  const { logprobs, top_logprobs: top } = chat;
  const grammar = toGrammar(chat.response_format);
  if (grammar !== undefined && chat.ignore_eos) throw new ApiError('invalid_value', { path: 'ignore_eos', rule: 'is not allowed with a response_format' });
  if (top && logprobs !== true) throw new ApiError('invalid_value', { path: 'top_logprobs', rule: 'is only allowed with "logprobs": true' });
  return {
    ...readShared(chat),
    prompts: [chat.messages.map(toMessage)],
    maxTokens: chat.max_completion_tokens ?? chat.max_tokens ?? undefined,
    isEchoed: false,
    ...(grammar && { grammar }),
    reportsEnd: false,
    logprobs: logprobs === true ? (top ?? 0) : undefined,
  };
}

/** A schema is held to, whether the request says strict or not. */
function toGrammar(format: z.output<typeof responseFormat> | null | undefined): Grammar | undefined {
  if (!format || format.type === 'text') return undefined;
  const schema = format.type === 'json_object' ? { type: 'object' } : format.json_schema.schema;
  const source = Buffer.from(JSON.stringify(schema));
  if (source.length > grammarLimit)
    throw new ApiError('invalid_value', { path: 'response_format', rule: `must have a schema of at most ${grammarLimit} bytes` });
  return { kind: 'schema', source: Uint8Array.from(source) };
}

function toMessage({ role, content, name }: z.output<typeof message>): ChatMessage {
  return {
    // Chat templates know "system"; "developer" is OpenAI's newer name for it. Parts are joined as the field does it.
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : content.map((entry) => entry.text).join('\n'),
    ...(name ? { name } : {}),
  };
}
