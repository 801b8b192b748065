/**
 * Owns what the text door refuses before anything is started or sent: options out of range, requests that are not what
 * the types say. Names the field and the rule; refuses to repeat a value.
 */
import type { Json } from '../checkpoint/json.ts';
import { resolveNumber, rule } from '../checks.ts';
import { InwardError } from '../errors.ts';
import type { NumberOption } from '../types.ts';
import type { ProcessRequest } from './protocol.ts';
import type { TemplateVariables } from './template.ts';
import type { ChatMessage, ChatOptions, TextOptions } from './types.ts';

/** UTF-16 code units of all strings of one request. The longest contexts of today hold a third of it, and copying it takes this process some 10 ms. */
const textLengthLimit = 2 ** 24;
/** The longest that a timer of Node waits, in ms; it would take more for 1. */
const longestWait = 2 ** 31 - 1;

type TextNumber = 'deadlineMs' | 'memoryMiB' | 'renewAfterRequests' | 'renewIdleMs';
/** The whole-number options of a text side. */
export const textNumbers: Readonly<Record<TextNumber, NumberOption>> = {
  deadlineMs: { low: 1, high: longestWait, standard: 10_000 },
  memoryMiB: { low: 16, high: 2 ** 20, standard: 512 },
  renewAfterRequests: { low: 1, high: 2 ** 30, standard: 256 },
  renewIdleMs: { low: 1, high: longestWait, standard: 60_000 },
};

/** Options with their defaults. Throws invalid_option. */
export function resolveOptions(options: TextOptions): Required<TextOptions> {
  const resolve = (option: TextNumber): number => resolveNumber(option, options[option], textNumbers[option]);
  if (typeof options.modelPath !== 'string') throw new InwardError('invalid_option', { option: 'modelPath', rule: 'a path' });
  return {
    modelPath: options.modelPath,
    deadlineMs: resolve('deadlineMs'),
    memoryMiB: resolve('memoryMiB'),
    renewAfterRequests: resolve('renewAfterRequests'),
    renewIdleMs: resolve('renewIdleMs'),
    keepsNothing: options.keepsNothing === true,
  };
}

/** A request to encode a text. Throws invalid_request. */
export function textRequest(text: string, options: { readonly addSpecial?: boolean; readonly parseSpecial?: boolean } = {}): ProcessRequest {
  const { addSpecial = true, parseSpecial = false } = options;
  rule(typeof text === 'string', 'text', 'a string');
  rule(text.length <= textLengthLimit, 'text', `at most ${textLengthLimit} characters`);
  return { kind: 'text', text, addSpecial: addSpecial === true, parseSpecial: parseSpecial === true };
}

/** Objects and arrays within each other, in tools and arguments. */
const depthLimit = 32;

/** A request to encode a chat: known fields only, whatever else the objects carry, under the names that templates know. Throws invalid_request. */
export function chatRequest(messages: readonly ChatMessage[], options: ChatOptions = {}): ProcessRequest {
  rule(Array.isArray(messages) && messages.every((message) => typeof message === 'object' && message !== null), 'messages', 'a list of objects');
  const { tools, variables, addGenerationPrompt = true } = options;
  rule(tools === undefined || Array.isArray(tools), 'tools', 'a list of objects');
  const left = { length: textLengthLimit };
  return {
    kind: 'chat',
    variables: {
      ...(variables === undefined ? {} : (copyJson(variables, 'variables', left) as TemplateVariables)),
      messages: messages.map((message) => copyMessage(message, left)),
      // What transformers passes; templates ask "tools is not none".
      tools: tools === undefined || tools.length === 0 ? null : copyJson(tools, 'tools', left),
      documents: variables?.['documents'] === undefined ? null : copyJson(variables['documents'], 'variables', left),
      add_generation_prompt: addGenerationPrompt === true,
    },
  };
}

function copyMessage({ role, content, name, reasoning, toolCalls, toolCallId }: ChatMessage, left: { length: number }): Json {
  for (const text of [role, content, ...[name, reasoning, toolCallId].filter((one) => one !== undefined)]) {
    rule(typeof text === 'string', 'messages', 'role, content and name are strings');
  }
  const fields = { role, content, name, reasoning_content: reasoning, tool_calls: toolCalls, tool_call_id: toolCallId };
  return copyJson(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)), 'messages', left);
}

/** A copy of what can be written as JSON. `left`: UTF-16 code units that the request may still hold. */
function copyJson(value: unknown, path: string, left: { length: number }, depth = 0): Json {
  rule(depth <= depthLimit, path, `at most ${depthLimit} levels`);
  if (typeof value === 'string') return countText(value, path, left);
  if (value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value;
  rule(typeof value === 'object', path, 'texts, numbers, true, false, null, lists and objects');
  if (Array.isArray(value)) return value.map((item) => copyJson(item, path, left, depth + 1));
  return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [countText(key, path, left), copyJson(item, path, left, depth + 1)]));
}

function countText(text: string, path: string, left: { length: number }): string {
  left.length -= text.length;
  rule(left.length >= 0, path, `at most ${textLengthLimit} characters`);
  return text;
}
