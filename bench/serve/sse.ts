/**
 * Owns the reading of a stream of completions: bytes in pieces of any size -> what each event says. Refuses what is no event of OpenAI's
 * completions API, and keeps no text.
 */
import { z } from 'zod';

/** What one event says. */
export type StreamEvent =
  /** So many tokens; 0 for a choice without text, such as the last one. */
  | { readonly type: 'tokens'; readonly count: number }
  | { readonly type: 'usage'; readonly promptTokens: number; readonly completionTokens: number }
  | { readonly type: 'error'; readonly code: string }
  | { readonly type: 'done' };

/** Not an event stream, or not of this API. */
export class StreamError extends Error {
  override readonly name = 'StreamError';
}

/** Characters of one event at most: no server of completions sends more. */
const longestEvent = 1 << 20;

const choice = z.object({ text: z.string(), logprobs: z.object({ tokens: z.array(z.unknown()) }).nullish() });
const frame = z.object({
  choices: z.array(choice),
  usage: z.object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0) }).nullish(),
});
const failure = z.object({ error: z.looseObject({ code: z.union([z.string(), z.number()]).nullish(), type: z.string().nullish() }) });

export class StreamReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #rest = '';

  /** The events that these bytes complete, those before a malformed one too. Throws StreamError. */
  *push(bytes: Uint8Array): Generator<StreamEvent, void, undefined> {
    this.#rest += this.#decode(bytes);
    const parts = this.#rest.split(/\r?\n\r?\n/);
    this.#rest = parts.pop() ?? '';
    if (this.#rest.length > longestEvent) throw new StreamError('an event without an end');
    for (const part of parts) yield* readEvent(part);
  }

  #decode(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: true });
    } catch {
      throw new StreamError('bytes that are no UTF-8');
    }
  }
}

/** An event's lines, as the HTML standard has them (9.2.6), but for line ends of a \r alone; comments and other fields are passed over. */
function readEvent(event: string): StreamEvent[] {
  const data = event
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line[5] === ' ' ? 6 : 5));
  return data.length === 0 ? [] : readData(data.join('\n'));
}

function readData(data: string): StreamEvent[] {
  if (data === '[DONE]') return [{ type: 'done' }];
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    throw new StreamError('an event that is no JSON');
  }
  const refused = failure.safeParse(value);
  if (refused.success) return [{ type: 'error', code: cleanCode(refused.data.error.code ?? refused.data.error.type) }];
  const result = frame.safeParse(value);
  if (!result.success) throw new StreamError('an event that is no completion');
  const { choices, usage } = result.data;
  return [
    ...choices.map(({ text, logprobs }): StreamEvent => ({ type: 'tokens', count: logprobs?.tokens.length ?? (text === '' ? 0 : 1) })),
    ...(usage ? [{ type: 'usage', promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens } as const] : []),
  ];
}

/** A server's own name for an error, if it looks like one: a sentence could quote the request. */
export function cleanCode(code: unknown): string {
  return typeof code === 'number' || (typeof code === 'string' && /^\w{1,40}$/.test(code)) ? String(code) : 'unknown';
}
