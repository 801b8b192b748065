/**
 * Owns what the text door refuses before anything is started or sent: options out of range, requests that are not what
 * the types say. Names the field and the rule; refuses to repeat a value.
 */
import { resolveNumber, rule } from '../checks.ts';
import { InwardError } from '../errors.ts';
import type { NumberOption } from '../types.ts';
import type { ProcessRequest } from './protocol.ts';
import type { ChatMessage, TextOptions } from './types.ts';

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

/** A request to encode a chat: known fields only, whatever else the objects carry. Throws invalid_request. */
export function chatRequest(messages: readonly ChatMessage[]): ProcessRequest {
  rule(Array.isArray(messages) && messages.every((message) => typeof message === 'object' && message !== null), 'messages', 'a list of objects');
  const known = messages.map(({ role, content, name }) => ({ role, content, ...(name === undefined ? {} : { name }) }));
  const texts = known.flatMap((message) => Object.values(message));
  rule(
    texts.every((text) => typeof text === 'string'),
    'messages',
    'role, content and name are strings',
  );
  rule(texts.reduce((sum, text) => sum + text.length, 0) <= textLengthLimit, 'messages', `at most ${textLengthLimit} characters`);
  return { kind: 'chat', messages: known };
}
