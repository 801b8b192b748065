/**
 * Owns the body of POST /v1/chat/completions: what is taken, what is ignored, what is refused by name.
 * Refuses every field that is not listed here: a setting that silently does nothing would be a wrong answer.
 */
import { z } from 'zod';
import type { Sampling } from '../../runtime/index.ts';
import type { ChatMessage } from '../../runtime/text/index.ts';
import { defaultTemperature } from '../config.ts';
import { ApiError } from './errors.ts';
import { ignored, listOf, text, unsupported, validate, wholeNumber } from './validate.ts';

/** Bounds the cost of holding back text in which a stop string could still begin. */
const stopLengthLimit = 256;

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

const stopText = z
  .string()
  .min(1)
  .max(stopLengthLimit)
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode');
const tokenLimit = wholeNumber(1, 2_147_483_647).nullish();

const chatShape = {
  model: z.string().min(1),
  messages: listOf(message, 4096),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: ignored }).nullish(),
  max_tokens: tokenLimit,
  max_completion_tokens: tokenLimit,
  stop: z.union([stopText, listOf(stopText, 4)]).nullish(),
  seed: wholeNumber(0, 4_294_967_295).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: wholeNumber(0, 1_000_000).nullish(),

  n: unsupported(1),
  store: unsupported(false),
  logprobs: unsupported(false),
  top_logprobs: unsupported(0),
  logit_bias: unsupported(),
  presence_penalty: unsupported(0),
  frequency_penalty: unsupported(0),
  repetition_penalty: unsupported(1),
  min_p: unsupported(0),
  tools: unsupported(),
  tool_choice: unsupported('none', 'auto'),
  functions: unsupported(),
  function_call: unsupported('none', 'auto'),
  response_format: z
    .unknown()
    .refine((value) => value === null || value === undefined || (value as { readonly type?: unknown }).type === 'text', { params: { unsupported: true } })
    .optional(),
  modalities: z
    .unknown()
    .refine((value) => value === null || value === undefined || (Array.isArray(value) && value.every((entry) => entry === 'text')), {
      params: { unsupported: true },
    })
    .optional(),
  audio: unsupported(),
  reasoning_effort: unsupported('none'),
  verbosity: unsupported('medium'),
  web_search_options: unsupported(),
  moderation: unsupported(),

  user: ignored,
  metadata: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_retention: ignored,
  parallel_tool_calls: ignored,
  prediction: ignored,
  service_tier: ignored,
};
const chatBody = z.strictObject(chatShape);

/** A chat request after all checks that need no model. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Undefined: what is left of the context. */
  readonly maxTokens: number | undefined;
  readonly stops: readonly string[];
  readonly sampling: Sampling;
}

/** Checks a body; throws ApiError with the path and the rule that it breaks. */
export function parseChatRequest(value: unknown): ChatRequest {
  const body = validate(chatBody, value, Object.keys(chatShape));
  if (body.stream_options && body.stream !== true) throw new ApiError('invalid_value', { path: 'stream_options', rule: 'is only allowed with "stream": true' });
  return {
    model: body.model,
    messages: body.messages.map(toMessage),
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    stops: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    sampling: toSampling(body),
  };
}

function toMessage(body: z.output<typeof message>): ChatMessage {
  // Chat templates know "system"; "developer" is OpenAI's newer name for it. Parts are joined as the field does it.
  const role = body.role === 'developer' ? 'system' : body.role;
  const content = typeof body.content === 'string' ? body.content : body.content.map((entry) => entry.text).join('\n');
  return { role, content, ...(body.name ? { name: body.name } : {}) };
}

function toSampling(body: z.output<typeof chatBody>): Sampling {
  // top_p 0 leaves only the likeliest token, which is what greedy means.
  const temperature = body.top_p === 0 ? 0 : (body.temperature ?? defaultTemperature);
  return { temperature, topK: body.top_k ?? 0, topP: body.top_p || 1, ...(body.seed == null ? {} : { seed: body.seed }) };
}
