/**
 * Owns what the document of the API says of whole answers: their shapes, exactly. Streams are text to it. Nothing is checked by these while
 * answers are made; tests hold them against real ones. Refuses the two routes for people, whose answers grow with the site.
 */
import { z } from 'zod';
import { wholeNumber } from './openai/validate.ts';
import { categories } from './privacy/deid/categories.ts';
import type { Category } from './privacy/deid/types.ts';
import type { RoutePattern } from './privacy/words.ts';

const count = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const string = z.string();
const ids = z.array(count);

const scored = { token: string, logprob: z.number(), bytes: z.array(wholeNumber(0, 255)).nullable() };
const scoredTokens = z.array(z.strictObject({ ...scored, top_logprobs: z.array(z.strictObject(scored)) }));
const tier = z.enum(['default', 'flex', 'priority']).optional();

/** What both of OpenAI's APIs with choices have around them. */
function withChoices(object: string, choice: Readonly<Record<string, z.ZodType>>, reasons: readonly string[]): z.ZodType {
  return z.strictObject({
    ...{ id: string, object: z.literal(object), created: count, model: string, service_tier: tier, system_fingerprint: z.null() },
    choices: z.array(z.strictObject({ index: count, ...choice, finish_reason: z.enum(reasons) })),
    usage: z.strictObject({
      ...{ prompt_tokens: count, completion_tokens: count, total_tokens: count },
      prompt_tokens_details: z.strictObject({ cached_tokens: count }),
      completion_tokens_details: z.strictObject({ reasoning_tokens: count }).optional(),
    }),
  });
}

const chat = withChoices(
  'chat.completion',
  {
    message: z.strictObject({
      ...{ role: z.literal('assistant'), content: string.nullable(), refusal: z.null(), reasoning_content: string.optional() },
      tool_calls: z
        .array(z.strictObject({ id: string, type: z.literal('function'), function: z.strictObject({ name: string, arguments: string }) }))
        .optional(),
    }),
    logprobs: z.strictObject({ content: scoredTokens, refusal: z.null() }).nullable(),
  },
  ['stop', 'length', 'tool_calls'],
);

const completion = withChoices(
  'text_completion',
  {
    text: string,
    logprobs: z
      .strictObject({
        tokens: z.array(string),
        token_logprobs: z.array(z.number().nullable()),
        top_logprobs: z.array(z.record(string, z.number()).nullable()),
        text_offset: ids,
      })
      .nullable(),
  },
  ['stop', 'length'],
);

const itemStatus = z.enum(['completed', 'incomplete']);
const item = z.union([
  z.strictObject({
    ...{ id: string, type: z.literal('message'), status: itemStatus, role: z.literal('assistant') },
    content: z.array(z.strictObject({ type: z.literal('output_text'), text: string, annotations: z.array(z.never()), logprobs: scoredTokens })),
  }),
  z.strictObject({
    ...{ id: string, type: z.literal('reasoning'), status: itemStatus, summary: z.array(z.never()) },
    content: z.array(z.strictObject({ type: z.literal('reasoning_text'), text: string })),
  }),
  z.strictObject({ id: string, type: z.literal('function_call'), status: itemStatus, call_id: string, name: string, arguments: string }),
]);

const response = z.looseObject({
  ...{ id: string, object: z.literal('response'), created_at: count, status: itemStatus, error: z.null(), model: string, output: z.array(item) },
  incomplete_details: z.strictObject({ reason: z.literal('max_output_tokens') }).nullable(),
  usage: z.strictObject({
    ...{ input_tokens: count, output_tokens: count, total_tokens: count },
    input_tokens_details: z.strictObject({ cached_tokens: count }),
    output_tokens_details: z.strictObject({ reasoning_tokens: count }),
  }),
  // Settings of the request are repeated as well; these two are always so.
  store: z.literal(false),
  previous_response_id: z.null(),
});

const message = z.strictObject({
  ...{ id: string, type: z.literal('message'), role: z.literal('assistant'), model: string },
  content: z.array(
    z.union([
      z.strictObject({ type: z.literal('text'), text: string }),
      z.strictObject({ type: z.literal('thinking'), thinking: string, signature: z.literal('') }),
      z.strictObject({ type: z.literal('tool_use'), id: string, name: string, input: z.looseObject({}) }),
    ]),
  ),
  ...{ stop_reason: z.enum(['end_turn', 'max_tokens', 'stop_sequence', 'tool_use']), stop_sequence: string.nullable() },
  usage: z.strictObject({ input_tokens: count, output_tokens: count, cache_creation_input_tokens: count, cache_read_input_tokens: count }),
});

const model = z.strictObject({ id: string, object: z.literal('model'), created: count, owned_by: string });
const category = z.enum(categories as readonly [Category, ...Category[]]);

/** Routes that are not here answer with any object, or with text. */
export const answerSchemas: Readonly<Partial<Record<RoutePattern, z.ZodType>>> = {
  '/v1/chat/completions': chat,
  '/v1/completions': completion,
  '/v1/responses': response,
  '/v1/messages': message,
  '/v1/messages/count_tokens': z.strictObject({ input_tokens: count }),
  '/v1/embeddings': z.strictObject({
    ...{ object: z.literal('list'), model: string, usage: z.strictObject({ prompt_tokens: count, total_tokens: count }) },
    data: z.array(z.strictObject({ object: z.literal('embedding'), index: count, embedding: z.union([z.array(z.number()), string]) })),
  }),
  '/v1/models': z.strictObject({ object: z.literal('list'), data: z.array(model) }),
  '/v1/models/:id': model,
  '/tokenize': z.strictObject({ count, max_model_len: count, tokens: ids, token_strs: z.array(string).nullable() }),
  '/detokenize': z.strictObject({ prompt: string }),
  '/tokenizer_info': z.strictObject({ bos_token: string.nullable(), eos_token: string.nullable(), pad_token: z.null(), model_max_length: count }),
  '/v1/chat/completions/render': z.strictObject({ model: string, token_ids: ids }),
  '/v1/deidentify': z.strictObject({
    text: string,
    spans: z.array(z.strictObject({ start: count, end: count, type: category })),
    counts: z.partialRecord(category, count),
  }),
  '/health': z.strictObject({ status: z.literal('alive') }),
  '/ready': z.strictObject({ status: z.enum(['ready', 'audit_unavailable', 'closed', 'loading', 'restarting', 'draining', 'failed']) }),
};
