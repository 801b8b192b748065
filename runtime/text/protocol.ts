/**
 * Owns the messages between this process and the text process: small, closed, plain data, one answer to each request.
 * Refuses free text on the way back: ids, or a code of the error table with its fields.
 */
import type { ErrorCode, ErrorFields } from '../errors.ts';
import type { Pieces } from './pieces.ts';
import type { ChatMessage, TextInfo } from './types.ts';

/** The first message to the text process. */
export interface ProcessStart {
  readonly modelPath: string;
}

export type ProcessRequest =
  | { readonly kind: 'text'; readonly text: string; readonly addSpecial: boolean; readonly parseSpecial: boolean }
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] };

/** The first answer is `ready` or `failed`; then one `ids` or `failed` for each request, in order. */
export type ProcessAnswer =
  | { readonly kind: 'ready'; readonly info: TextInfo; readonly pieces: Pieces }
  | { readonly kind: 'ids'; readonly ids: Uint32Array }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly fields: ErrorFields };
