/**
 * Owns the dialect of POST /v1/chat/completions: what is taken, what is ignored, what is refused by name, and the shapes
 * of its choices. Refuses every field that is not listed: a setting that silently does nothing would be a wrong answer.
 */
import { z } from 'zod';
import type { FinishReason } from '../../runtime/index.ts';
import type { TextInfo, TextModel } from '../../runtime/text/index.ts';
import type { ChoiceEnd } from './choice.ts';
import type { Dialect, WholeChoice } from './dialect.ts';
import { ApiError } from './errors.ts';
import { type AnswerRequest, alternatives, readShared, sharedRules, sharedShape, tokenLimit } from './fields.ts';
import { responseFormat, toGrammar } from './format.ts';
import { type ChoiceShapes, createHead, presentChoices } from './frames.ts';
import { toChatLogprobs } from './logprobs.ts';
import { openaiMessages, toTurn } from './messages.ts';
import { type CallPart, type ContentPart, callsOf, textOf } from './parts.ts';
import { readEffort, readSwitches, reasoningEffort, templateSwitches } from './reasoning.ts';
import { chatChoice, openaiTools, readTools, toTemplateTool } from './tools.ts';
import { document, ignored, unsupported, unsupportedUnless, validate } from './validate.ts';

const isText = (value: unknown): boolean => value === 'text';

const shape = {
  ...sharedShape,
  messages: openaiMessages,
  max_tokens: tokenLimit(1),
  max_completion_tokens: tokenLimit(1),
  logprobs: z.boolean().nullish(),
  top_logprobs: alternatives,
  tools: openaiTools,
  tool_choice: chatChoice,
  parallel_tool_calls: z.boolean().nullish(),
  reasoning_effort: reasoningEffort,
  chat_template_kwargs: templateSwitches,

  store: unsupported(false),
  functions: unsupported(),
  function_call: unsupported('none', 'auto'),
  response_format: responseFormat.nullish(),
  modalities: unsupportedUnless((value) => Array.isArray(value) && value.every(isText), undefined, { type: ['array', 'null'], items: { const: 'text' } }),
  audio: unsupported(),
  verbosity: unsupported('medium'),
  web_search_options: unsupported(),
  moderation: unsupported(),

  // It goes with a stored answer, and none is: `store` is refused.
  metadata: ignored,
  safety_identifier: ignored,
  prompt_cache_retention: ignored,
  prediction: ignored,
};
const body = document(z.strictObject(shape), { json: { allOf: [sharedRules] } });

export const chatDialect: Dialect = {
  url: '/v1/chat/completions',
  promptField: 'messages',
  body,
  hasEventNames: false,
  read: (value, text) => {
    const asked = parse(value, text.info);
    return {
      asked,
      present: ({ model, choiceCount }) =>
        presentChoices(createHead('chatcmpl-', model, asked.serviceTier), createShapes(text), choiceCount, asked.includeUsage),
    };
  },
};

function createShapes(model: TextModel): ChoiceShapes {
  return {
    objects: { whole: 'chat.completion', chunk: 'chat.completion.chunk' },
    whole: (index, choice) => describeChoice(model, index, choice),
    opening: (index) => ({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }),
    delta: (index, part) => ({ index, delta: toDelta(part), logprobs: toChatLogprobs(model, part.tokens), finish_reason: null }),
    closing: (index, end) => ({ index, delta: {}, logprobs: null, finish_reason: nameReason(end) }),
  };
}

function describeChoice(model: TextModel, index: number, { parts, end }: WholeChoice): object {
  const [content, reasoning, calls] = [textOf(parts, 'text'), textOf(parts, 'reasoning'), callsOf(parts)];
  const tokens = parts.some((part) => part.tokens !== undefined) ? parts.flatMap((part) => part.tokens ?? []) : undefined;
  return {
    index,
    message: {
      role: 'assistant',
      content: content || (calls.length > 0 ? null : ''),
      refusal: null,
      ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls.map(describeCall) }),
    },
    logprobs: toChatLogprobs(model, tokens),
    finish_reason: nameReason(end),
  };
}

function describeCall({ id, name, text }: CallPart): object {
  return { id, type: 'function', function: { name, arguments: text } };
}

function toDelta(part: ContentPart): object {
  switch (part.type) {
    case 'text':
      return { content: part.text };
    case 'reasoning':
      return { reasoning_content: part.text };
    case 'call':
      return { tool_calls: [{ index: part.call, ...describeCall(part) }] };
    case 'arguments':
      return { tool_calls: [{ index: part.call, function: { arguments: part.text } }] };
  }
}

/** An answer that was cut may have half a call, which is none. */
function nameReason({ reason, callCount }: ChoiceEnd): FinishReason | 'tool_calls' {
  return reason === 'stop' && callCount > 0 ? 'tool_calls' : reason;
}

function parse(value: unknown, info: TextInfo): AnswerRequest {
  const chat = validate(body, value, Object.keys(shape));
  const { logprobs, top_logprobs: top } = chat;
  if (top && logprobs !== true) throw new ApiError('invalid_value', { path: 'top_logprobs', rule: 'is only allowed with "logprobs": true' });
  const tools = (chat.tools ?? []).map((tool) => ({ ...tool.function, tool: toTemplateTool(tool.function) }));
  const parsing = readTools(tools, chat.tool_choice, chat.parallel_tool_calls ?? true, 'tool_choice');
  const isHeld = (chat.response_format ?? { type: 'text' }).type !== 'text' || parsing.choice !== 'auto' || parsing.strict.length > 0;
  if (isHeld && chat.ignore_eos)
    throw new ApiError('invalid_value', { path: 'ignore_eos', rule: 'is not allowed with a response_format, or tools that are held to' });
  const variables = {
    ...readEffort(chat.reasoning_effort, info, 'reasoning_effort'),
    ...readSwitches(chat.chat_template_kwargs, info, 'chat_template_kwargs'),
  };
  return {
    ...readShared(chat),
    prompts: [{ messages: chat.messages.map(toTurn), options: { tools: parsing.tools, variables } }],
    chat: parsing,
    maxTokens: chat.max_completion_tokens ?? chat.max_tokens ?? undefined,
    isEchoed: false,
    reportsEnd: false,
    logprobs: logprobs === true ? (top ?? 0) : undefined,
    // Last: what throws above leaves no bytes of it.
    grammar: toGrammar(chat.response_format, chat.response_format?.json_schema?.schema, 'response_format'),
  };
}
