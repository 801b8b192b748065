/**
 * Owns the making of one answer: messages -> ids -> engine events -> pieces of text and an end. One generator, which
 * both presentations (stream and plain JSON) consume. Refuses to know the wire format.
 */

import { type Engine, type FinishReason, InwardError } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import type { ChatRequest } from './schema.ts';
import { createStopMatcher } from './stop.ts';

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export type Part = { readonly type: 'text'; readonly text: string } | ({ readonly type: 'end'; readonly reason: FinishReason } & Usage);

export interface Models {
  readonly engine: Engine;
  readonly text: TextModel;
}

/**
 * The parts of the answer. Throws InwardError: from the first `next()` when the request cannot be served, later when the
 * engine fails. A limit beyond the context is not an error: the answer then ends with `length` where the context ends.
 */
export async function* complete(models: Models, request: ChatRequest, signal: AbortSignal): AsyncGenerator<Part, void, undefined> {
  const { engine, text } = models;
  const promptIds = await text.encodeChat(request.messages);
  signal.throwIfAborted();
  const room = engine.info.contextLength - promptIds.length;
  if (room < 1) throw new InwardError('prompt_too_long', { found: promptIds.length, limit: engine.info.contextLength });
  const maxTokens = Math.min(request.maxTokens ?? room, room);
  const decoder = text.createDecoder();
  const matcher = createStopMatcher(request.stops);
  let completionTokens = 0;
  for await (const event of engine.generate({ promptIds, maxTokens, stopIds: text.info.stopIds, sampling: request.sampling }, signal)) {
    if (event.type === 'prompt') continue;
    if (event.type === 'token') completionTokens++;
    const isEnd = event.type === 'end';
    const found = matcher.push(isEnd ? decoder.end() : decoder.push(event.id));
    const piece = isEnd && !found.isStopped ? found.text + matcher.end() : found.text;
    if (piece !== '') yield { type: 'text', text: piece };
    if (isEnd || found.isStopped) {
      yield { type: 'end', reason: isEnd && !found.isStopped ? event.reason : 'stop', promptTokens: promptIds.length, completionTokens };
      return;
    }
  }
}
