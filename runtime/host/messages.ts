/**
 * Owns the messages between the process that embeds the engine and the engine's own process: ids, numbers and names of closed
 * lists. Ids of a request are in typed arrays, which can be wiped (link/frames.ts). Refuses functions, signals and class instances.
 */
import type { Driver } from '../drivers.ts';
import { type ErrorCode, type ErrorFields, InwardError, isErrorCode } from '../errors.ts';
import type { StoredShapes, TuningKey } from '../tuning/file.ts';
import {
  type EngineInfo,
  type EngineOptions,
  type EngineStats,
  type GenerateRequest,
  logprobsLimit,
  type OpenProgress,
  type TokenEvent,
  type TokenId,
  type TokenLogprobs,
  type ZeroReport,
} from '../types.ts';

export interface WireError {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;
}

/** An event: what it says of tokens is in numbers that can be wiped. */
export type WireEvent =
  | Extract<TokenEvent, { readonly type: 'end' }>
  | {
      readonly type: 'prompt' | 'token';
      /** Position or id; cached tokens, -1: not said; then, where they are said, log-probabilities: of the token, and pairs of id and log-probability. */
      readonly numbers: Float64Array;
      readonly logits?: Float32Array | undefined;
    };

/** Of the options, what can cross. */
export type PlainOptions = Omit<EngineOptions, 'onProgress' | 'onRestart'>;

/** Which of how many stages a process is. */
export interface StageNumber {
  readonly index: number;
  readonly count: number;
}

export type ToEngine =
  | { readonly type: 'open'; readonly options: PlainOptions; readonly driver: Driver; readonly stage?: StageNumber | undefined }
  | { readonly type: 'generate'; readonly request: number; readonly body: GenerateRequest }
  | { readonly type: 'abort' | 'park' | 'go on'; readonly request: number }
  | { readonly type: 'flush'; readonly tenant: number | undefined }
  | { readonly type: 'check'; readonly request: number }
  | { readonly type: 'close' };

export type FromEngine =
  | ({ readonly type: 'progress' } & OpenProgress)
  /** Before `opened`, for the parent to keep: this process writes no file. */
  | { readonly type: 'measured'; readonly key: TuningKey; readonly shapes: StoredShapes }
  /** `memory`: of a stage behind the first, which takes no more later, as EngineStats has it. */
  | { readonly type: 'opened'; readonly info: EngineInfo; readonly memory?: EngineStats['memory'] }
  | { readonly type: 'refused'; readonly error: WireError }
  | { readonly type: 'event'; readonly request: number; readonly event: WireEvent }
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

/** Numbers of an event without those of likely tokens; two for each of them. */
const [plainLength, pairLength] = [2, 2];
const scratch = new Float64Array(plainLength + 1 + pairLength * logprobsLimit);

/** What is given lies in memory that the next event overwrites. */
export function packEvent(event: TokenEvent): WireEvent {
  if (event.type === 'end') return event;
  const { type, logprobs, logits } = event;
  scratch[0] = type === 'token' ? event.id : event.position;
  scratch[1] = type === 'token' ? (event.cachedTokens ?? -1) : -1;
  let length = plainLength;
  if (logprobs !== undefined) {
    scratch[length++] = logprobs.logprob;
    for (const { id, logprob } of logprobs.top) {
      scratch[length++] = id;
      scratch[length++] = logprob;
    }
  }
  return { type, numbers: scratch.subarray(0, length), logits };
}

/** Zeroes the numbers. */
export function unpackEvent(event: WireEvent): TokenEvent {
  if (event.type === 'end') return event;
  const { type, numbers, logits } = event;
  const [first = 0, cachedTokens = -1] = numbers;
  const logprobs = unpackLogprobs(numbers);
  numbers.fill(0);
  const more = { ...(logprobs && { logprobs }), ...(logits && { logits }) };
  if (type === 'prompt') return { type, position: first, ...more };
  return { type, id: first as TokenId, ...(cachedTokens < 0 ? {} : { cachedTokens }), ...more };
}

function unpackLogprobs(numbers: Float64Array): TokenLogprobs | undefined {
  const logprob = numbers[plainLength];
  if (logprob === undefined) return undefined;
  const count = (numbers.length - plainLength - 1) / pairLength;
  const at = (index: number): number => numbers[plainLength + 1 + index] ?? 0;
  return { logprob, top: Array.from({ length: count }, (_, i) => ({ id: at(pairLength * i) as TokenId, logprob: at(pairLength * i + 1) })) };
}
