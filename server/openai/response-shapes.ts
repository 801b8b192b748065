/**
 * Owns the shapes of POST /v1/responses: a response with its items, and the events by which a stream tells how each of them grows. The whole
 * answer is what the last event of the stream has. Refuses to hold anything longer than its answer.
 */
import type { TextModel } from '../../runtime/text/index.ts';
import type { AnswerToken } from './answer-text.ts';
import type { ChoiceEnd } from './choice.ts';
import type { AnswerFacts, Presentation } from './dialect.ts';
import type { ApiError } from './errors.ts';
import { createId, type Usage } from './frames.ts';
import { toChatLogprobs } from './logprobs.ts';
import type { ContentPart } from './parts.ts';
import type { Events } from './sse.ts';

/** What a response repeats of its request. */
export type Echo = Readonly<Record<string, unknown>>;

type Item = { -readonly [Field in 'id' | 'type' | 'status']: string } & Record<string, unknown>;

export function presentResponse({ model }: AnswerFacts, echo: Echo, text: TextModel): Presentation {
  const head = { id: createId('resp_'), object: 'response', created_at: Math.floor(Date.now() / 1000) };
  const items = new ItemStream(text);
  let [number, last] = [0, undefined as ChoiceEnd | undefined];
  const numbered = (events: Events): Events => events.map((event) => ({ ...(event as object), sequence_number: number++ }));
  const describe = (status: string, more: object = {}): object => ({
    ...head,
    status,
    ...{ error: null, incomplete_details: null, model, output: items.output, usage: null },
    ...echo,
    ...more,
  });
  const conclude = (usage: Usage): object =>
    last?.reason === 'length'
      ? describe('incomplete', { incomplete_details: { reason: 'max_output_tokens' }, usage: toUsage(usage) })
      : describe('completed', { usage: toUsage(usage) });
  const close = (end: ChoiceEnd): Events => {
    last = end;
    return items.close(end.reason === 'length' ? 'incomplete' : 'completed');
  };
  return {
    whole: ([choice], usage) => {
      for (const part of choice?.parts ?? []) items.add(part);
      if (choice !== undefined) close(choice.end);
      return conclude(usage);
    },
    opening: () => {
      const response = describe('in_progress');
      return numbered([
        { type: 'response.created', response },
        { type: 'response.in_progress', response },
      ]);
    },
    part: (_, part) => numbered(items.add(part)),
    closing: (_, end) => numbered(close(end)),
    ending: (usage) => numbered([{ type: last?.reason === 'length' ? 'response.incomplete' : 'response.completed', response: conclude(usage) }]),
    failure: (error) => numbered(fail(error, describe('failed', { error: { code: error.code, message: error.message } }))),
  };
}

/** The response says it, and clients that only look for an error find one. */
function fail({ code, message, param }: ApiError, response: object): Events {
  return [
    { type: 'response.failed', response },
    { type: 'error', code, message, param },
  ];
}

function toUsage({ promptTokens, cachedTokens, completionTokens, reasoningTokens }: Usage): object {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens ?? 0 },
    total_tokens: promptTokens + completionTokens,
  };
}

const itemTypes = { text: 'message', reasoning: 'reasoning', call: 'function_call' } as const;

/** Items begin, grow and end in turn. */
class ItemStream {
  readonly #model: TextModel;
  readonly #items: Item[] = [];
  #text = '';
  #tokens: AnswerToken[] | undefined;
  #isOpen = false;

  constructor(model: TextModel) {
    this.#model = model;
  }

  get output(): readonly object[] {
    return this.#items.map((item) => ({ ...item }));
  }

  add(part: ContentPart): Events {
    const isMore = part.type === 'arguments' || (this.#isOpen && part.type !== 'call' && this.#last?.type === itemTypes[part.type]);
    const begin = isMore ? [] : [...this.close('completed'), ...this.#open(part as Exclude<ContentPart, { type: 'arguments' }>)];
    this.#text += part.text;
    if (part.tokens !== undefined) {
      this.#tokens ??= [];
      for (const token of part.tokens) this.#tokens.push(token);
    }
    const delta = this.#describeDelta(part);
    return delta === undefined ? begin : [...begin, delta];
  }

  close(status: 'completed' | 'incomplete'): Events {
    const item = this.#last;
    if (item === undefined || !this.#isOpen) return [];
    this.#isOpen = false;
    item.status = status;
    const place = this.#place(item);
    const done = { type: 'response.output_item.done', output_index: place.output_index, item: { ...item } };
    if (item.type === 'function_call') {
      item['arguments'] = this.#text;
      return [
        { type: 'response.function_call_arguments.done', ...place, name: item['name'], arguments: this.#text },
        { ...done, item: { ...item } },
      ];
    }
    const inner = { ...place, content_index: 0 };
    const part = this.#describePart(item.type, this.#text, this.#tokens);
    item['content'] = [part];
    const whole =
      item.type === 'message'
        ? { type: 'response.output_text.done', ...inner, text: this.#text, logprobs: part.logprobs }
        : { type: 'response.reasoning_text.done', ...inner, text: this.#text };
    return [whole, { type: 'response.content_part.done', ...inner, part }, { ...done, item: { ...item } }];
  }

  get #last(): Item | undefined {
    return this.#items.at(-1);
  }

  #place({ id }: Item): { readonly item_id: string; readonly output_index: number } {
    return { item_id: id, output_index: this.#items.length - 1 };
  }

  #open(part: Exclude<ContentPart, { type: 'arguments' }>): Events {
    const item = createItem(part);
    this.#items.push(item);
    [this.#text, this.#tokens, this.#isOpen] = ['', undefined, true];
    const place = this.#place(item);
    const added = { type: 'response.output_item.added', output_index: place.output_index, item: { ...item } };
    if (part.type === 'call') return [added];
    return [added, { type: 'response.content_part.added', ...place, content_index: 0, part: this.#describePart(item.type, '', undefined) }];
  }

  #describePart(type: string, text: string, tokens: readonly AnswerToken[] | undefined): { readonly logprobs?: unknown; readonly [field: string]: unknown } {
    return type === 'message' ? { type: 'output_text', text, annotations: [], logprobs: this.#score(tokens) } : { type: 'reasoning_text', text };
  }

  #describeDelta(part: ContentPart): object | undefined {
    const item = this.#last;
    if (item === undefined || (part.text === '' && !part.tokens?.length)) return undefined;
    const place = this.#place(item);
    if (part.type === 'call' || part.type === 'arguments')
      return part.text === '' ? undefined : { type: 'response.function_call_arguments.delta', ...place, delta: part.text };
    const inner = { ...place, content_index: 0, delta: part.text };
    return part.type === 'text'
      ? { type: 'response.output_text.delta', ...inner, logprobs: this.#score(part.tokens) }
      : { type: 'response.reasoning_text.delta', ...inner };
  }

  #score(tokens: readonly AnswerToken[] | undefined): readonly unknown[] {
    return (toChatLogprobs(this.#model, tokens) as { readonly content: readonly unknown[] } | null)?.content ?? [];
  }
}

function createItem(part: Exclude<ContentPart, { type: 'arguments' }>): Item {
  const common = { type: itemTypes[part.type], status: 'in_progress' };
  if (part.type === 'call') return { id: createId('fc_'), ...common, call_id: part.id, name: part.name, arguments: '' };
  if (part.type === 'reasoning') return { id: createId('rs_'), ...common, summary: [], content: [] };
  return { id: createId('msg_'), ...common, role: 'assistant', content: [] };
}
