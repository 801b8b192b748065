/**
 * Owns the messages between the main thread and the worker: small, closed, plain data, one answer to each request.
 * Refuses free text on the way back: ids, or a code of the error table with its fields.
 */
import type { ErrorCode, ErrorFields } from '../errors.ts';
import type { Pieces } from './pieces.ts';
import type { ChatMessage, TextInfo } from './types.ts';

/** What the worker is given at its start. */
export interface WorkerStart {
  readonly modelPath: string;
}

export type WorkerRequest =
  | { readonly kind: 'text'; readonly text: string; readonly addSpecial: boolean; readonly parseSpecial: boolean }
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] };

/** The first answer is `ready` or `failed`; then one `ids` or `failed` for each request, in order. */
export type WorkerAnswer =
  | { readonly kind: 'ready'; readonly info: TextInfo; readonly pieces: Pieces }
  | { readonly kind: 'ids'; readonly ids: Uint32Array }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly fields: ErrorFields };
