/**
 * Owns the messages between the process that embeds the engine and the engine's own process: ids, numbers and names of closed
 * lists. Structured clone carries them (typed arrays included). Refuses functions, signals and class instances.
 */
import type { Driver } from '../drivers.ts';
import { type ErrorCode, type ErrorFields, InwardError, isErrorCode } from '../errors.ts';
import type { StoredShapes, TuningKey } from '../tuning/file.ts';
import type { EngineInfo, EngineOptions, EngineStats, GenerateRequest, OpenProgress, TokenEvent, ZeroReport } from '../types.ts';

export interface WireError {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;
}

/** Of the options, what can cross. */
export type PlainOptions = Omit<EngineOptions, 'onProgress' | 'onRestart'>;

export type ToEngine =
  | { readonly type: 'open'; readonly options: PlainOptions; readonly driver: Driver }
  | { readonly type: 'generate'; readonly request: number; readonly body: GenerateRequest }
  | { readonly type: 'abort' | 'park' | 'go on'; readonly request: number }
  | { readonly type: 'flush'; readonly tenant: number | undefined }
  | { readonly type: 'check'; readonly request: number }
  | { readonly type: 'close' };

export type FromEngine =
  | ({ readonly type: 'progress' } & OpenProgress)
  /** Before `opened`, for the parent to keep: this process writes no file. */
  | { readonly type: 'measured'; readonly key: TuningKey; readonly shapes: StoredShapes }
  | { readonly type: 'opened'; readonly info: EngineInfo }
  | { readonly type: 'refused'; readonly error: WireError }
  | { readonly type: 'event'; readonly request: number; readonly event: TokenEvent }
  | { readonly type: 'checked'; readonly request: number; readonly report: ZeroReport }
  | { readonly type: 'failed'; readonly request: number; readonly error: WireError }
  | { readonly type: 'stats'; readonly stats: EngineStats }
  /** Every 100 ms while requests run and there is nothing else to say. */
  | { readonly type: 'alive' }
  /** The engine is of no more use, though its process lives. */
  | { readonly type: 'died'; readonly error: WireError };

export function toWire({ code, fields }: InwardError): WireError {
  return { code, fields };
}

export function fromWire({ code, fields }: WireError): InwardError {
  return isErrorCode(code) ? new InwardError(code, fields) : new InwardError('internal', { part: 'the engine process' });
}
