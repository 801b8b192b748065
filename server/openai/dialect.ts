/**
 * Owns the type of what differs between the routes: how a body is read, and the shapes of a choice.
 */
import type { FinishReason } from '../../runtime/index.ts';
import type { Passage } from './answer-text.ts';
import type { AnswerRequest } from './fields.ts';

export interface Dialect {
  readonly url: '/v1/chat/completions' | '/v1/completions';
  /** The field that errors about a prompt name. */
  readonly promptField: 'messages' | 'prompt';
  readonly idPrefix: string;
  /** Names of the whole answer and of a chunk of a stream. */
  readonly objects: { readonly whole: string; readonly chunk: string };
  /** Checks a body; throws ApiError with the path and the rule that it breaks. */
  parse(body: unknown): AnswerRequest;
  /** A choice of the whole answer. */
  whole(index: number, all: Passage, reason: FinishReason): object;
  /** A choice of a chunk: before its first text (where there is such a chunk), with text, after the last. */
  opening(index: number): object | undefined;
  delta(index: number, passage: Passage): object;
  closing(index: number, reason: FinishReason): object;
}
