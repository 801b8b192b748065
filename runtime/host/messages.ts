/**
 * Owns the messages between the process that embeds the engine and the engine's own process. Structured clone
 * carries them (typed arrays included). Refuses functions, signals and class instances.
 */
import type { ErrorCode, ErrorFields } from '../errors.ts';
import type { EngineInfo, EngineOptions, EngineStats, GenerateRequest, OpenProgress, TokenEvent, ZeroReport } from '../types.ts';

export interface WireError {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;
}

export type ToEngine =
  | { readonly type: 'open'; readonly options: Omit<EngineOptions, 'onProgress'> }
  | { readonly type: 'generate'; readonly request: number; readonly body: GenerateRequest }
  | { readonly type: 'abort' | 'park' | 'go on'; readonly request: number }
  | { readonly type: 'check'; readonly request: number }
  | { readonly type: 'close' };

export type FromEngine =
  | ({ readonly type: 'progress' } & OpenProgress)
  | { readonly type: 'opened'; readonly info: EngineInfo }
  | { readonly type: 'refused'; readonly error: WireError }
  | { readonly type: 'event'; readonly request: number; readonly event: TokenEvent }
  | { readonly type: 'checked'; readonly request: number; readonly report: ZeroReport }
  | { readonly type: 'failed'; readonly request: number; readonly error: WireError }
  | { readonly type: 'stats'; readonly stats: EngineStats }
  | { readonly type: 'died'; readonly error: WireError };
