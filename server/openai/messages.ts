/**
 * Owns the messages of a chat as OpenAI has them: their schema, and the turns that a template gets. Refuses by name what is no text, and
 * fields that belong to another role.
 */
import { z } from 'zod';
import type { ChatMessage, ToolCall } from '../../runtime/text/index.ts';
import { ApiError } from './errors.ts';
import { toolName } from './tools.ts';
import { document, listOf, oneOf, text, unsupported } from './validate.ts';

type Optional<T> = T | null | undefined;
/** Text, or parts that are all text. */
export type TextContent = string | readonly { readonly text: string }[];

interface Call {
  readonly id: string;
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface Message {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function';
  readonly content?: Optional<TextContent>;
  readonly name?: Optional<string>;
  readonly tool_calls?: Optional<readonly Call[]>;
  readonly tool_call_id?: Optional<string>;
  readonly reasoning_content?: Optional<string>;
  readonly reasoning?: Optional<string>;
}

const part = z.strictObject({ type: oneOf(['text'], 'must be text: images, audio and files are not taken'), text });

const call: z.ZodType<Call> = z.strictObject({
  id: text,
  type: z.literal('function'),
  function: z.strictObject({ name: toolName, arguments: text }),
  // What clients send back when they repeat a call of a stream.
  index: z.number().nullish(),
});

/** Calls of one message. */
const callLimit = 128;

const said = { content: { type: ['string', 'array'] } };
/** What `checkRole` demands, as far as a schema can say it. */
const roleRules = {
  anyOf: [
    {
      required: ['content'],
      properties: { role: { enum: ['system', 'developer', 'user'] }, ...said, ...onlyNull('tool_calls', 'tool_call_id', 'reasoning_content', 'reasoning') },
    },
    { required: ['content'], properties: { role: { const: 'assistant' }, ...said, ...onlyNull('tool_call_id') } },
    { required: ['tool_calls'], properties: { role: { const: 'assistant' }, ...onlyNull('tool_call_id'), tool_calls: { type: 'array', minItems: 1 } } },
    {
      required: ['content', 'tool_call_id'],
      properties: { role: { const: 'tool' }, ...said, tool_call_id: { type: 'string' }, ...onlyNull('tool_calls', 'reasoning_content', 'reasoning') },
    },
  ],
};

function onlyNull(...fields: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(fields.map((field) => [field, { type: 'null' }]));
}

const message: z.ZodType<Message> = document(
  z.strictObject({
    role: z
      .enum(['system', 'developer', 'user', 'assistant', 'tool', 'function'])
      .refine((role) => role !== 'function', { params: { unsupported: 'use tool, with the id of the call' } }),
    content: z.union([text, listOf(part, 1024)]).nullish(),
    name: text.nullish(),
    tool_calls: listOf(call, callLimit, 0).nullish(),
    tool_call_id: text.nullish(),
    reasoning_content: text.nullish(),
    reasoning: text.nullish(),
    // What clients send back when they repeat an answer of ours.
    refusal: unsupported(),
    annotations: unsupported(),
    audio: unsupported(),
    function_call: unsupported(),
  }),
  { json: { allOf: [roleRules] } },
);
export const openaiMessages: z.ZodType<readonly Message[]> = listOf(message, 4096);

/** Throws ApiError, with the path of the message. */
export function toTurn(given: Message, place: number): ChatMessage {
  const path = `messages[${place}]`;
  const { role, content, name, tool_call_id: toolCallId } = given;
  checkRole(given, path);
  const reasoning = given.reasoning_content ?? given.reasoning;
  const toolCalls = given.tool_calls ?? [];
  return {
    // Chat templates know "system"; "developer" is OpenAI's newer name for it.
    role: role === 'developer' ? 'system' : role,
    content: joinContent(content),
    ...(name ? { name } : {}),
    ...(reasoning ? { reasoning } : {}),
    ...(toolCalls.length === 0 ? {} : { toolCalls: toolCalls.map((one, index) => toCall(one, `${path}.tool_calls[${index}].function.arguments`)) }),
    ...(toolCallId == null ? {} : { toolCallId }),
  };
}

function checkRole({ role, content, tool_calls, tool_call_id, reasoning_content, reasoning }: Message, path: string): void {
  const isAssistant = role === 'assistant';
  if (content == null && !(isAssistant && tool_calls?.length)) refuse(`${path}.content`, 'must be a string or an array');
  if (tool_calls?.length && !isAssistant) refuse(`${path}.tool_calls`, 'is only allowed in messages of the assistant');
  if ((reasoning_content ?? reasoning) && !isAssistant) refuse(`${path}.reasoning_content`, 'is only allowed in messages of the assistant');
  if ((tool_call_id == null) === (role === 'tool')) {
    refuse(`${path}.tool_call_id`, role === 'tool' ? 'must be the id of the call that the message answers' : 'is only allowed in messages of a tool');
  }
}

/** Parts are joined as the field does it. */
export function joinContent(content: Optional<TextContent>): string {
  return typeof content === 'string' ? content : (content ?? []).map((entry) => entry.text).join('\n');
}

function toCall({ id, function: { name, arguments: json } }: Call, path: string): ToolCall {
  return { id, type: 'function', function: { name, arguments: parseArguments(json, path) } };
}

/** Templates want the object. Throws ApiError where it is none. */
export function parseArguments(json: string, path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json === '' ? '{}' : json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below, without the text.
  }
  return refuse(path, 'must be the JSON text of an object');
}

function refuse(path: string, rule: string): never {
  throw new ApiError('invalid_value', { path, rule });
}
