/**
 * Owns the dialect of POST /v1/messages, Anthropic's API, and what of it counts the tokens of a prompt: what is taken, what is refused by name.
 * The shapes of its answers are in blocks.ts. Refuses every field that is not listed.
 */
import { z } from 'zod';
import type { TextInfo } from '../../runtime/text/index.ts';
import type { Dialect } from '../openai/dialect.ts';
import { type AnswerRequest, type ChatPrompt, type Parsing, readShared, type SharedBody, sharedShape, stopCountLimit, stopText } from '../openai/fields.ts';
import { outputFormat, toGrammar } from '../openai/format.ts';
import { readEffort, type TemplateVariables } from '../openai/reasoning.ts';
import type { TextRoute } from '../openai/text-route.ts';
import { type JsonSchema, jsonSchema, readTools, strictTool, type ToolChoice, toolLimit, toolName, toTemplateTool } from '../openai/tools.ts';
import { ignored, listOf, oneOf, text, unsupported, unsupportedUnless, validate, wholeNumber } from '../openai/validate.ts';
import { presentMessage } from './blocks.ts';
import { anthropicMessages, textContent, toTurns } from './turns.ts';

interface Tool {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly input_schema: JsonSchema;
  readonly strict?: boolean | null | undefined;
}
const tool: z.ZodType<Tool> = z.strictObject({
  name: toolName,
  description: text.nullish(),
  input_schema: jsonSchema,
  type: oneOf(['custom'], 'must be custom: this server has no tools of its own').nullish(),
  strict: strictTool,
  cache_control: ignored,
  eager_input_streaming: ignored,
  input_examples: ignored,
});

const toolChoice = z.strictObject({
  type: z.enum(['auto', 'none', 'any', 'tool']),
  name: text.nullish(),
  disable_parallel_tool_use: z.boolean().nullish(),
});

/** `budget_tokens` is a wish: no template of today takes a number. */
const thinking = z.strictObject({ type: z.enum(['enabled', 'adaptive', 'disabled']), budget_tokens: wholeNumber(1, 2 ** 31 - 1).nullish(), display: ignored });

/** What makes a prompt. */
const promptShape = {
  model: z.string().min(1),
  messages: anthropicMessages,
  system: textContent.nullish(),
  tools: listOf(tool, toolLimit, 0).nullish(),
  tool_choice: toolChoice.nullish(),
  thinking: thinking.nullish(),
  output_config: z.strictObject({ effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(), format: outputFormat.nullish() }).nullish(),
  cache_control: ignored,
  mcp_servers: unsupported(),
  context_management: unsupported(),
};
const prompt = z.strictObject(promptShape);
type Prompt = z.output<typeof prompt>;

const shape = {
  ...promptShape,
  max_tokens: wholeNumber(1, 2 ** 31 - 1),
  stream: sharedShape.stream,
  stop_sequences: listOf(stopText, stopCountLimit, 0).nullish(),
  temperature: z.number().min(0).max(1).nullish(),
  top_p: sharedShape.top_p,
  top_k: sharedShape.top_k,
  service_tier: z.enum(['auto', 'standard_only']).nullish(),
  // Nothing of it is kept.
  metadata: z.strictObject({ user_id: ignored }).nullish(),
  container: unsupported(),
  inference_geo: unsupportedUnless(() => false, 'the header x-inward-region says which region must answer', { type: 'null' }),
};
const body = z.strictObject(shape);

export const messagesDialect: Dialect = {
  url: '/v1/messages',
  promptField: 'messages',
  body,
  hasEventNames: true,
  read: (value, model) => {
    const asked = parse(value, model.info);
    return { asked, present: (facts) => presentMessage(facts) };
  },
};

function parse(value: unknown, info: TextInfo): AnswerRequest {
  const asked = validate(body, value, Object.keys(shape));
  const { chat, prompt } = readChat(asked, info);
  const shared: SharedBody = { ...none, model: asked.model, stream: asked.stream, temperature: asked.temperature, top_p: asked.top_p, top_k: asked.top_k };
  return {
    ...readShared(shared),
    ...{ prompts: [prompt], chat, isEchoed: false, reportsEnd: false, logprobs: undefined },
    stops: asked.stop_sequences ?? [],
    maxTokens: asked.max_tokens,
    // Last: what throws above leaves no bytes of it.
    grammar: toGrammar(asked.output_config?.format, asked.output_config?.format?.schema, 'output_config.format'),
  };
}

/** Fields of OpenAI's that Anthropic does not have. */
const none: SharedBody = {
  ...{ model: '', n: null, stream: null, stream_options: null, stop: null, seed: null, temperature: null, top_p: null, top_k: null, min_p: null },
  ...{ repetition_penalty: null, presence_penalty: null, frequency_penalty: null, logit_bias: null, ignore_eos: null },
  ...{ service_tier: null, priority: null, cache_salt: null, prompt_cache_key: null },
};

/** POST /v1/messages/count_tokens: how many tokens the prompt of such a request has. */
export const countRoute: TextRoute = {
  url: '/v1/messages/count_tokens',
  promptField: 'messages',
  body: prompt,
  read: (value, { info }) => {
    const asked = validate(prompt, value, Object.keys(promptShape));
    const counted = readChat(asked, info).prompt;
    return { model: asked.model, answer: async ({ encode }) => ({ input_tokens: (await encode(counted)).length }) };
  },
};

function readChat(asked: Prompt, info: TextInfo): { readonly chat: Parsing; readonly prompt: ChatPrompt } {
  const tools = (asked.tools ?? []).map(({ name, description, input_schema: parameters, strict }) => ({
    ...{ name, strict },
    tool: toTemplateTool({ name, description, parameters }),
  }));
  const chat = readTools(tools, readChoice(asked), asked.tool_choice?.disable_parallel_tool_use !== true, 'tool_choice');
  return { chat, prompt: { messages: toTurns(asked.messages, asked.system), options: { tools: chat.tools, variables: readThinking(asked, info) } } };
}

function readChoice({ tool_choice: choice }: Prompt): ToolChoice {
  if (choice?.type === 'tool') return { name: choice.name ?? '' };
  return choice?.type === 'any' ? 'required' : (choice?.type ?? 'auto');
}

function readThinking({ thinking: given, output_config: output }: Prompt, info: TextInfo): TemplateVariables {
  if (given?.type === 'disabled') return readEffort('none', info, 'thinking');
  const { effort } = output ?? {};
  if (effort != null) return readEffort(effort === 'max' ? 'xhigh' : effort, info, 'output_config.effort');
  return given == null ? {} : readEffort(info.knowsOnlyHigh ? 'high' : 'medium', info, 'thinking');
}
