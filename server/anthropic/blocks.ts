/**
 * Owns the shapes of Anthropic's answers: a message of blocks, and the events by which a stream tells the same. Thoughts have no signature:
 * nobody but this server reads them again.
 */
import type { ChoiceEnd } from '../openai/choice.ts';
import type { AnswerFacts, Presentation } from '../openai/dialect.ts';
import { createId, type Usage } from '../openai/frames.ts';
import type { ContentPart } from '../openai/parts.ts';
import type { Events } from '../openai/sse.ts';
import { toAnthropicEnvelope } from './errors.ts';

export function presentMessage({ model, promptTokens }: AnswerFacts): Presentation {
  const head = { id: createId('msg_'), type: 'message', role: 'assistant', model };
  const stream = new BlockStream();
  let last: ChoiceEnd | undefined;
  return {
    whole: ([choice], usage) => ({
      ...head,
      content: (choice?.parts ?? []).map(toBlock),
      ...describeStop(choice?.end),
      usage: toUsage(usage),
    }),
    opening: () => [
      // What was kept from before is known with the first token only: the last event has it.
      { type: 'message_start', message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: toUsage({ ...noUsage, promptTokens }) } },
      { type: 'ping' },
    ],
    part: (_, part) => stream.add(part),
    closing: (_, end) => {
      last = end;
      return stream.close();
    },
    ending: (usage) => [{ type: 'message_delta', delta: describeStop(last), usage: toUsage(usage) }, { type: 'message_stop' }],
    failure: (error) => [toAnthropicEnvelope(error)],
  };
}

const noUsage: Usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 };

/** Anthropic counts what was kept apart from the rest. */
function toUsage({ promptTokens, cachedTokens, completionTokens }: Usage): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}

function describeStop(end: ChoiceEnd | undefined): { readonly stop_reason: string; readonly stop_sequence: string | null } {
  const reason = end?.reason === 'length' ? 'max_tokens' : end?.stop !== undefined ? 'stop_sequence' : (end?.callCount ?? 0) > 0 ? 'tool_use' : 'end_turn';
  return { stop_reason: reason, stop_sequence: end?.stop ?? null };
}

function toBlock(part: ContentPart): object {
  if (part.type === 'reasoning') return { type: 'thinking', thinking: part.text, signature: '' };
  return part.type === 'call' ? { type: 'tool_use', id: part.id, name: part.name, input: parseInput(part.text) } : { type: 'text', text: part.text };
}

/** What is no JSON object, because the answer was cut or the model wrote it so, is empty: the field takes nothing else. */
function parseInput(json: string): object {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/** Blocks begin, grow and end in turn. */
class BlockStream {
  #index = -1;
  #type: ContentPart['type'] | undefined;

  add(part: ContentPart): Events {
    const isMore = part.type === 'arguments' || (part.type !== 'call' && part.type === this.#type);
    const begin = isMore ? [] : [...this.close(), this.#open(part)];
    const delta = toDelta(part);
    return part.text === '' ? begin : [...begin, { type: 'content_block_delta', index: this.#index, delta }];
  }

  close(): Events {
    const [type, index] = [this.#type, this.#index];
    this.#type = undefined;
    if (type === undefined) return [];
    // Clients send a thought back only if its signature has come, even this one.
    const signature = type === 'reasoning' ? [{ type: 'content_block_delta', index, delta: { type: 'signature_delta', signature: '' } }] : [];
    return [...signature, { type: 'content_block_stop', index }];
  }

  #open(part: ContentPart): object {
    this.#type = part.type;
    this.#index++;
    return { type: 'content_block_start', index: this.#index, content_block: toBlock({ ...part, text: '' }) };
  }
}

function toDelta({ type, text }: ContentPart): object {
  if (type === 'text') return { type: 'text_delta', text };
  return type === 'reasoning' ? { type: 'thinking_delta', thinking: text } : { type: 'input_json_delta', partial_json: text };
}
