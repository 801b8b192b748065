/**
 * Owns the items that POST /v1/responses takes as input: messages, calls, their outputs and thoughts, and the turns that a template gets.
 * Refuses by name what is no text, and references to what would have to be stored.
 */
import { z } from 'zod';
import type { ChatMessage, ToolCall } from '../../runtime/text/index.ts';
import { joinContent, parseArguments, type TextContent } from './messages.ts';
import { toolName } from './tools.ts';
import { byType, ignored, listOf, oneOf, text } from './validate.ts';

type Item =
  | { readonly type: 'message'; readonly role: 'user' | 'system' | 'developer' | 'assistant'; readonly content: TextContent }
  | { readonly type: 'function_call'; readonly call_id: string; readonly name: string; readonly arguments: string }
  | { readonly type: 'function_call_output'; readonly call_id: string; readonly output: TextContent }
  | { readonly type: 'reasoning'; readonly content?: TextContent | null | undefined; readonly summary?: TextContent | null | undefined };
export type ResponseInput = string | readonly Item[];

/** What clients send back when they repeat an item of ours. */
const common = { id: ignored, status: ignored };
const partLimit = 1024;
const textPart = (...types: readonly string[]) =>
  z.strictObject({
    type: oneOf(types, `must be ${types.join(' or ')}: images, audio and files are not taken`),
    text,
    annotations: ignored,
    logprobs: ignored,
  });
const parts = (...types: readonly string[]): z.ZodType<TextContent> => z.union([text, listOf(textPart(...types), partLimit, 0)]);

const kinds = ['message', 'function_call', 'function_call_output', 'reasoning'] as const;
const shapes: { readonly [Kind in (typeof kinds)[number]]: z.ZodType<Item> } = {
  message: z.strictObject({
    type: z.literal('message'),
    role: z.enum(['user', 'system', 'developer', 'assistant']),
    content: parts('input_text', 'output_text'),
    phase: ignored,
    ...common,
  }),
  function_call: z.strictObject({ type: z.literal('function_call'), call_id: text, name: toolName, arguments: text, ...common }),
  function_call_output: z.strictObject({ type: z.literal('function_call_output'), call_id: text, output: parts('input_text'), ...common }),
  reasoning: z.strictObject({
    type: z.literal('reasoning'),
    summary: parts('summary_text').nullish(),
    content: parts('reasoning_text').nullish(),
    encrypted_content: ignored,
    ...common,
  }),
};
const kind = z.object({
  type: z
    .string()
    .refine((type) => type !== 'item_reference', { params: { unsupported: 'send the item itself, because nothing is stored' } })
    .refine((type) => kinds.some((one) => one === type), `must be one of ${kinds.join(', ')}`)
    .optional(),
});

const item: z.ZodType<Item> = byType(shapes, kind, 'message');
export const responseInput: z.ZodType<ResponseInput> = z.union([text, listOf(item, 4096)]);

interface AssistantTurn {
  readonly role: 'assistant';
  content: string;
  reasoning?: string;
  toolCalls?: ToolCall[];
}

/** What an assistant thought, said and called in a row is one turn. Throws ApiError. */
export function toTurns(input: ResponseInput, instructions: string | null | undefined): readonly ChatMessage[] {
  const turns: ChatMessage[] = instructions == null ? [] : [{ role: 'system', content: instructions }];
  if (typeof input === 'string') return [...turns, { role: 'user', content: input }];
  let open: AssistantTurn | undefined;
  const assistant = (isNew: boolean): AssistantTurn => {
    if (open === undefined || isNew) turns.push((open = { role: 'assistant', content: '' }));
    return open;
  };
  for (const [place, one] of input.entries()) {
    if (one.type === 'reasoning') {
      const thought = joinContent(one.content ?? one.summary);
      if (thought !== '') assistant(true).reasoning = thought;
    } else if (one.type === 'function_call') {
      const call: ToolCall = {
        id: one.call_id,
        type: 'function',
        function: { name: one.name, arguments: parseArguments(one.arguments, `input[${place}].arguments`) },
      };
      const turn = assistant(false);
      turn.toolCalls = [...(turn.toolCalls ?? []), call];
    } else if (one.type === 'message' && one.role === 'assistant') {
      assistant(open !== undefined && (open.content !== '' || open.toolCalls !== undefined)).content = joinContent(one.content);
    } else {
      open = undefined;
      turns.push(
        one.type === 'message'
          ? { role: one.role === 'developer' ? 'system' : one.role, content: joinContent(one.content) }
          : { role: 'tool', content: joinContent(one.output), toolCallId: one.call_id },
      );
    }
  }
  return turns;
}
