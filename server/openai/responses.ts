/**
 * Owns the dialect of POST /v1/responses, without any state: what is taken, what is ignored, what is refused by name, above all what would
 * have to be stored. Refuses every field that is not listed.
 */
import { z } from 'zod';
import type { TextInfo } from '../../runtime/text/index.ts';
import type { Dialect, Question } from './dialect.ts';
import { type AnswerRequest, alternatives, readShared, type SharedBody, sharedShape, tokenLimit } from './fields.ts';
import { textFormat, toGrammar } from './format.ts';
import { readEffort, reasoningEffort } from './reasoning.ts';
import { responseInput, toTurns } from './response-items.ts';
import { type Echo, presentResponse } from './response-shapes.ts';
import { serviceShape } from './service.ts';
import { type JsonSchema, jsonSchema, readTools, responseChoice, strictTool, toolLimit, toolName, toTemplateTool } from './tools.ts';
import { ignored, listOf, oneOf, text, unsupported, unsupportedUnless, validate } from './validate.ts';

interface Tool {
  readonly type: string;
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly parameters?: JsonSchema | null | undefined;
  readonly strict?: boolean | null | undefined;
}
const tool: z.ZodType<Tool> = z.strictObject({
  type: oneOf(['function'], 'must be function: this server has no tools of its own'),
  name: toolName,
  description: text.nullish(),
  parameters: jsonSchema.nullish(),
  strict: strictTool,
});

const stored = (remedy: string): z.ZodType<unknown> => unsupportedUnless(() => false, remedy, { type: 'null' });
const logprobsOf = 'message.output_text.logprobs';

const shape = {
  model: z.string().min(1),
  input: responseInput,
  instructions: text.nullish(),
  max_output_tokens: tokenLimit(1),
  stream: sharedShape.stream,
  stream_options: z.strictObject({ include_obfuscation: ignored }).nullish(),
  temperature: sharedShape.temperature,
  top_p: sharedShape.top_p,
  tools: listOf(tool, toolLimit, 0).nullish(),
  tool_choice: responseChoice,
  parallel_tool_calls: z.boolean().nullish(),
  reasoning: z.strictObject({ effort: reasoningEffort, summary: unsupported('auto'), generate_summary: unsupported('auto') }).nullish(),
  // Encrypted thoughts are for servers that hide them: here they are text.
  include: listOf(z.enum(['reasoning.encrypted_content', logprobsOf]), 8, 0).nullish(),
  top_logprobs: alternatives,
  text: z.strictObject({ format: textFormat.nullish(), verbosity: unsupported('medium') }).nullish(),
  ...serviceShape,

  store: unsupportedUnless((value) => value === false, 'use false, or leave it out: nothing is ever stored', { enum: [null, false] }),
  previous_response_id: stored('send the earlier items as input, because nothing is stored'),
  conversation: stored('send the earlier items as input, because nothing is stored'),
  prompt: stored('send the prompt itself, because nothing is stored'),
  metadata: unsupported(),
  background: unsupported(false),
  truncation: unsupported('disabled'),
  max_tool_calls: unsupported(),
  moderation: unsupported(),
  context_management: unsupported(),

  user: ignored,
  safety_identifier: ignored,
  prompt_cache_retention: ignored,
};
const body = z.strictObject(shape);

export const responsesDialect: Dialect = {
  url: '/v1/responses',
  promptField: 'input',
  body,
  hasEventNames: true,
  read: (value, model) => {
    const { asked, echo } = parse(value, model.info);
    return { asked, present: (facts) => presentResponse(facts, echo, model) };
  },
};

function parse(value: unknown, info: TextInfo): { readonly asked: Question['asked']; readonly echo: Echo } {
  const given = validate(body, value, Object.keys(shape));
  const tools = (given.tools ?? []).map((one) => ({ ...one, tool: toTemplateTool(one) }));
  const chat = readTools(tools, given.tool_choice, given.parallel_tool_calls ?? true, 'tool_choice');
  const variables = readEffort(given.reasoning?.effort, info, 'reasoning.effort');
  const { model, stream, temperature, top_p, service_tier, priority, cache_salt, prompt_cache_key } = given;
  const shared: SharedBody = { ...none, model, stream, temperature, top_p, service_tier, priority, cache_salt, prompt_cache_key };
  const asked: AnswerRequest = {
    ...readShared(shared),
    prompts: [{ messages: toTurns(given.input, given.instructions), options: { tools: chat.tools, variables } }],
    ...{ chat, isEchoed: false, reportsEnd: false },
    maxTokens: given.max_output_tokens ?? undefined,
    logprobs: given.include?.includes(logprobsOf) ? (given.top_logprobs ?? 0) : undefined,
    // Last: what throws above leaves no bytes of it.
    grammar: toGrammar(given.text?.format, given.text?.format?.schema, 'text.format'),
  };
  return { asked, echo: describe(given, asked) };
}

/** Fields of the other APIs that this one does not have. */
const none = {
  ...{ n: null, stream_options: null, stop: null, seed: null, top_k: null, min_p: null, repetition_penalty: null },
  ...{ presence_penalty: null, frequency_penalty: null, logit_bias: null, ignore_eos: null },
};

/** Settings of the request, as they were understood. */
function describe(given: z.output<typeof body>, { sampling, serviceTier }: AnswerRequest): Echo {
  return {
    // Content of the request is not repeated, in every frame that has the response.
    instructions: null,
    tools: [],
    max_output_tokens: given.max_output_tokens ?? null,
    max_tool_calls: null,
    parallel_tool_calls: given.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: given.reasoning?.effort ?? null, summary: null },
    // Always, whatever a client expects.
    store: false,
    background: false,
    temperature: sampling.temperature,
    top_p: sampling.topP,
    top_logprobs: given.top_logprobs ?? 0,
    text: { format: { type: given.text?.format?.type ?? 'text' }, verbosity: 'medium' },
    tool_choice: typeof given.tool_choice === 'object' ? 'required' : (given.tool_choice ?? 'auto'),
    truncation: 'disabled',
    ...(serviceTier === undefined ? {} : { service_tier: serviceTier }),
    metadata: {},
  };
}
