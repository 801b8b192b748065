/**
 * Owns the messages between this process and the text process: small, closed, plain data, one answer to each request.
 * Refuses free text on the way back: a request is answered by ids or by one of a few codes. Checks what comes back,
 * because that process runs model data.
 *
 * What lies in memory of either side: ids are zeroed once handed on, and messages once they were read or sent (link/link.ts).
 * Strings cannot be; in the text process its end takes them away, here the garbage collector.
 */
import { type ErrorCode, type ErrorFields, isErrorCode } from '../errors.ts';
import type { Grammar } from '../types.ts';
import type { AnswerFormat } from './formats/types.ts';
import type { Pieces } from './pieces.ts';
import type { TemplateVariables } from './template.ts';
import type { HeldValue, TextInfo } from './types.ts';

/** The first message to the text process. */
export interface ProcessStart {
  readonly modelPath: string;
}

export type ProcessRequest =
  | { readonly kind: 'text'; readonly text: string; readonly addSpecial: boolean; readonly parseSpecial: boolean }
  | { readonly kind: 'chat'; readonly variables: TemplateVariables }
  /** Whether it can be compiled within the limits; answered by no ids. */
  | { readonly kind: 'grammar'; readonly grammar: Grammar }
  /** Whether these keep to their schemas; answered by no ids. */
  | { readonly kind: 'answer'; readonly values: readonly HeldValue[] };

/** What a request may fail with, beside the limits, which the parent enforces. */
const grammarFailures = ['grammar_invalid', 'grammar_unenforceable', 'grammar_empty', 'grammar_too_large'] as const;
const textFailures = ['template_failed', 'template_missing', 'text_unencodable', 'answer_invalid', 'internal'] as const;
export type RequestFailure = (typeof textFailures)[number] | (typeof grammarFailures)[number];
export const requestFailures: readonly RequestFailure[] = [...textFailures, ...grammarFailures];

/** The first answer is `ready` or `refused`; then one `ids` or `failed` for each request, in order. */
export type ProcessAnswer =
  | {
      readonly kind: 'ready';
      readonly info: TextInfo;
      readonly pieces: Pieces;
      readonly format: AnswerFormat;
      /** SHA-256 of the file's header. */
      readonly fingerprint: string;
    }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly fields: ErrorFields }
  | { readonly kind: 'ids'; readonly ids: Uint32Array }
  /** `fields`: of failures of a grammar, which name keywords and positions of it. */
  | { readonly kind: 'failed'; readonly code: RequestFailure; readonly fields?: ErrorFields };

/** The message as an answer, or undefined if it is none. */
export function readAnswer(message: unknown): ProcessAnswer | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { kind, ids, code, fields, info, pieces, format, fingerprint } = message as Record<string, unknown>;
  if (kind === 'ids' && ids instanceof Uint32Array) return { kind, ids };
  if (kind === 'failed' && requestFailures.includes(code as RequestFailure))
    return { kind, code: code as RequestFailure, ...(grammarFailures.some((known) => known === code) && { fields: fields as ErrorFields }) };
  // Before the first request there is nothing to hide, so these may have fields.
  if (kind === 'refused' && isErrorCode(code)) return { kind, code, fields: fields as ErrorFields };
  if (kind === 'ready' && typeof fingerprint === 'string')
    return { kind, fingerprint, info: info as TextInfo, pieces: pieces as Pieces, format: format as AnswerFormat };
  return undefined;
}
