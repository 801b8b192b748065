/**
 * Owns what a request says in header fields of ours. Refuses every other value of theirs, by the field's name.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isCorrelation } from '../privacy/audit/describe.ts';
import { ApiError } from './errors.ts';

export interface HeaderTerms {
  /** When the answer must be complete, on the clock of performance.now(), in ms. */
  readonly deadline: number | undefined;
  /** Whether keys and values of the prompt may be kept for other requests, and taken from them. */
  readonly keepsPrefix: boolean;
}

/** The client's own id of a request, for its audit record. */
export const correlationHeader = 'x-inward-correlation';

/** Longest time that a client may give a request, in ms. */
const longestDeadline = 3_600_000;

/** Throws ApiError. */
export function readHeaders(headers: IncomingHttpHeaders): HeaderTerms {
  checkCorrelation(headers);
  return { deadline: readDeadline(headers), keepsPrefix: !readNoCache(headers) };
}

function readDeadline(headers: IncomingHttpHeaders): number | undefined {
  const path = 'x-inward-deadline-ms';
  const value = headers[path];
  if (value === undefined) return undefined;
  const time = typeof value === 'string' && /^\d{1,7}$/.test(value) ? Number(value) : 0;
  if (time < 1 || time > longestDeadline) throw new ApiError('invalid_value', { path, rule: `must be a whole number from 1 to ${longestDeadline}` });
  return performance.now() + time;
}

/** One value: a `0` or `false` that is taken for "keep" on one server and not on another would be a trap. */
function readNoCache(headers: IncomingHttpHeaders): boolean {
  const path = 'x-inward-no-cache';
  const value = headers[path];
  if (value !== undefined && value !== '1') throw new ApiError('invalid_value', { path, rule: 'must be 1, or not be there' });
  return value !== undefined;
}

/** Throws ApiError: any other text would have room for what must not be recorded. */
export function checkCorrelation(headers: IncomingHttpHeaders): void {
  const value = headers[correlationHeader];
  if (value === undefined || (typeof value === 'string' && isCorrelation(value))) return;
  throw new ApiError('invalid_value', { path: correlationHeader, rule: 'must be a UUID' });
}
