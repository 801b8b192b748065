/**
 * Owns the messages of a chat as Anthropic has them: blocks of text, thoughts, calls and their results, and the turns that a template gets.
 * Refuses by name what is no text.
 */
import { z } from 'zod';
import type { ChatMessage } from '../../runtime/text/index.ts';
import { ApiError } from '../openai/errors.ts';
import { joinContent, type TextContent } from '../openai/messages.ts';
import { jsonSchema, toolName } from '../openai/tools.ts';
import { byType, ignored, listOf, text } from '../openai/validate.ts';

interface TextBlock {
  readonly type: 'text';
  readonly text: string;
}
type Block =
  | TextBlock
  | { readonly type: 'thinking'; readonly thinking: string }
  | { readonly type: 'redacted_thinking' }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: Readonly<Record<string, unknown>> }
  | { readonly type: 'tool_result'; readonly tool_use_id: string; readonly content?: TextContent | null | undefined };

export interface AnthropicMessage {
  readonly role: 'user' | 'assistant';
  readonly content: string | readonly Block[];
}

const blockLimit = 1024;
// Prefixes are kept without being asked.
const cached = { cache_control: ignored };
const textBlock = z.strictObject({ type: z.literal('text'), text, citations: ignored, ...cached });
/** Text, or blocks that are all text. */
export const textContent: z.ZodType<TextContent> = z.union([text, listOf(textBlock, blockLimit)]);

const kinds = ['text', 'thinking', 'redacted_thinking', 'tool_use', 'tool_result'] as const;
const shapes: { readonly [Kind in (typeof kinds)[number]]: z.ZodType<Block> } = {
  text: textBlock,
  thinking: z.strictObject({ type: z.literal('thinking'), thinking: text, signature: ignored, ...cached }),
  redacted_thinking: z.strictObject({ type: z.literal('redacted_thinking'), data: ignored }),
  tool_use: z.strictObject({ type: z.literal('tool_use'), id: text, name: toolName, input: jsonSchema, caller: ignored, ...cached }),
  tool_result: z.strictObject({
    type: z.literal('tool_result'),
    tool_use_id: text,
    content: textContent.nullish(),
    // The content says it; templates have no other place.
    is_error: z.boolean().nullish(),
    ...cached,
  }),
};
const kind = z.object({
  type: z.string().refine((type) => kinds.some((one) => one === type), `must be one of ${kinds.join(', ')}: images and documents are not taken`),
});

const block: z.ZodType<Block> = byType(shapes, kind);

const message: z.ZodType<AnthropicMessage> = z.strictObject({ role: z.enum(['user', 'assistant']), content: z.union([text, listOf(block, blockLimit, 0)]) });
export const anthropicMessages: z.ZodType<readonly AnthropicMessage[]> = listOf(message, 4096);

/** Throws ApiError with the path of what does not belong there. */
export function toTurns(messages: readonly AnthropicMessage[], system: TextContent | null | undefined): readonly ChatMessage[] {
  if (messages.at(-1)?.role === 'assistant')
    refuse(`messages[${messages.length - 1}].role`, 'must be user in the last message: an answer cannot be begun for the model');
  const turns = messages.flatMap(({ role, content }, index) => {
    const blocks: readonly Block[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
    const path = `messages[${index}].content`;
    return role === 'user' ? readUser(blocks, path) : [readAssistant(blocks, path)];
  });
  return system == null ? turns : [{ role: 'system', content: joinContent(system) }, ...turns];
}

/** Results of calls are turns of their own, before what the user says to them. */
function readUser(blocks: readonly Block[], path: string): readonly ChatMessage[] {
  checkKinds(blocks, ['text', 'tool_result'], path, 'a user');
  const results = blocks.flatMap((one): ChatMessage[] =>
    one.type === 'tool_result' ? [{ role: 'tool', content: joinContent(one.content), toolCallId: one.tool_use_id }] : [],
  );
  const texts = blocks.filter((one) => one.type === 'text');
  return texts.length === 0 && results.length > 0 ? results : [...results, { role: 'user', content: joinContent(texts) }];
}

function readAssistant(blocks: readonly Block[], path: string): ChatMessage {
  checkKinds(blocks, ['text', 'thinking', 'redacted_thinking', 'tool_use'], path, 'the assistant');
  const reasoning = blocks.flatMap((one) => (one.type === 'thinking' ? [one.thinking] : [])).join('\n');
  const toolCalls = blocks.flatMap((one) =>
    one.type === 'tool_use' ? [{ id: one.id, type: 'function' as const, function: { name: one.name, arguments: one.input } }] : [],
  );
  return {
    role: 'assistant',
    content: joinContent(blocks.filter((one) => one.type === 'text')),
    ...(reasoning === '' ? {} : { reasoning }),
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
  };
}

function checkKinds(blocks: readonly Block[], allowed: readonly Block['type'][], path: string, who: string): void {
  const place = blocks.findIndex(({ type }) => !allowed.includes(type));
  if (place >= 0) refuse(`${path}[${place}].type`, `must be one of ${allowed.join(', ')} in a message of ${who}`);
}

function refuse(path: string, rule: string): never {
  throw new ApiError('invalid_value', { path, rule });
}
