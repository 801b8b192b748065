/**
 * Owns the rendering of chat templates. A template is model data: it may fail or never end, so this runs in
 * the text process only. Refuses to pass on what a template says: every failure is template_failed.
 */
import { Template } from '@huggingface/jinja';
import { InwardError } from '../errors.ts';
import type { ChatMessage } from './types.ts';

export interface ChatTemplate {
  render(messages: readonly ChatMessage[]): string;
}

/** `tokens`: the strings bos_token and eos_token as templates know them. */
export function createTemplate(source: string, tokens: Readonly<Record<string, string>>): ChatTemplate {
  let parsed: Template | undefined;
  return {
    render(messages) {
      try {
        parsed ??= new Template(source);
        // What transformers passes; templates ask "tools is not none".
        return parsed.render({ ...tokens, messages, tools: null, documents: null, add_generation_prompt: true });
      } catch {
        throw new InwardError('template_failed');
      }
    },
  };
}

/**
 * Messages in which no text spells a control token: a marker, a character that occurs neither in them nor in
 * `source`, splits every spelling. Taken out again after the control tokens of the rendered text were found, it
 * leaves the user's text as text.
 */
export function markMessages(
  messages: readonly ChatMessage[],
  source: string,
  pattern: RegExp,
): { readonly messages: readonly ChatMessage[]; readonly marker: string } {
  const marker = findUnused([source, ...messages.flatMap((message) => Object.values(message) as string[])]);
  const mark = (text: string) => text.replace(pattern, (found) => found.replace(/./su, `$&${marker}`));
  return {
    marker,
    messages: messages.map((message) => Object.fromEntries(Object.entries(message).map(([key, value]) => [key, mark(value)])) as unknown as ChatMessage),
  };
}

/** A character of the private use area that none of the texts has. */
function findUnused(texts: readonly string[]): string {
  for (let code = 0xe000; code < 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!texts.some((text) => text.includes(character))) return character;
  }
  throw new InwardError('template_failed');
}
