/**
 * Owns the server's log: one closed record type for each event, written as JSON lines or lines for people.
 * Refuses free text: a record has only numbers, names from closed lists and random ids, and the writer copies only the
 * columns it knows, so that no URL, header, prompt or completion can reach a log line.
 */
import type { ErrorCode } from '../runtime/index.ts';
import type { WitnessCode } from './privacy/audit/witness.ts';
import type { RefusalCode } from './privacy/errors.ts';
import type { GateEvent } from './privacy/gate.ts';
import type { FileFlaw } from './privacy/watched.ts';
import { type RoutePattern, routePatterns } from './privacy/words.ts';

export type LogRecord =
  | { readonly event: 'listening'; readonly port: number }
  | { readonly event: 'draining'; readonly running: number }
  | { readonly event: 'stopped'; readonly durationMs: number }
  /** `count`: times that another engine process has taken over so far. */
  | { readonly event: 'engine_lost' | 'engine_restarted'; readonly code: ErrorCode; readonly count: number }
  | { readonly event: 'engine_failed'; readonly code: ErrorCode }
  | GateEvent
  /** `loaded` and `unloaded`: a model, as an agreement comes into force or ends. */
  | { readonly event: 'model_loaded'; readonly model: string }
  /** `zeroed`: it was shown that nothing of requests was left on the device when the engine was given up. */
  | { readonly event: 'model_unloaded'; readonly zeroed: boolean }
  | { readonly event: 'model_not_zeroed' }
  | { readonly event: 'model_load_failed' | 'model_unload_failed'; readonly code?: ErrorCode }
  | { readonly event: 'connection_refused'; readonly status: number }
  /** New files of a certificate, or of the keys that tokens are signed with. */
  | { readonly event: 'tls_reloaded' | 'token_keys_reloaded' }
  /** What is in use stays in use. */
  | { readonly event: 'tls_reload_failed' | 'token_keys_reload_failed'; readonly flaw: FileFlaw }
  /** The audit log's second place does not have the newest checkpoint, or has it again. */
  | { readonly event: 'witness_failed'; readonly reason: WitnessCode }
  | { readonly event: 'witness_restored' }
  /** `days`: until the end of the server's certificate. */
  | { readonly event: 'tls_ends'; readonly days: number }
  | { readonly event: 'failure'; readonly requestId: string; readonly code: ErrorCode }
  | {
      readonly event: 'request';
      readonly requestId: string;
      readonly route: RoutePattern;
      readonly status: number;
      /** False when the client went away first. */
      readonly finished: boolean;
      readonly durationMs: number;
      /** Counts of tokens: 0 or the next power of two, as in the audit trail, because exact ones tell texts apart. */
      readonly promptTokens?: number;
      readonly completionTokens?: number;
      /** Why it was not let in. */
      readonly refusal?: RefusalCode;
      readonly keyId?: string;
    };

export type Log = (record: LogRecord) => void;

const columns = [
  ...([
    'requestId',
    'route',
    'status',
    'finished',
    'refusal',
    'keyId',
    'tenant',
    'model',
    'zeroed',
    'agreementId',
    'state',
    'days',
    'code',
    'flaw',
    'cause',
    'reason',
    'count',
    'running',
    'port',
    'durationMs',
  ] as const),
  ...(['promptTokens', 'completionTokens'] as const),
];
const levels: Readonly<Record<LogRecord['event'], 'info' | 'warn' | 'error'>> = {
  listening: 'info',
  draining: 'info',
  stopped: 'info',
  request: 'info',
  connection_refused: 'warn',
  tls_reloaded: 'info',
  tls_reload_failed: 'error',
  tls_ends: 'warn',
  token_keys_reloaded: 'info',
  token_keys_reload_failed: 'error',
  failure: 'error',
  engine_lost: 'error',
  engine_restarted: 'warn',
  engine_failed: 'error',
  model_loaded: 'info',
  model_unloaded: 'warn',
  model_not_zeroed: 'error',
  model_load_failed: 'error',
  model_unload_failed: 'error',
  gate_opened: 'info',
  gate_closed: 'warn',
  deployment_changed: 'info',
  tenant_closed: 'warn',
  break_glass: 'error',
  agreement_ended: 'warn',
  agreement_ending: 'warn',
  store_unreadable: 'error',
  store_unwritable: 'warn',
  clock_untrusted: 'error',
  witness_failed: 'error',
  witness_restored: 'warn',
  audit_stopped: 'error',
  audit_resumed: 'warn',
};

/** A log that gives each line to `write`. */
export function createLog(write: (line: string) => void, format: 'json' | 'human'): Log {
  return (record) => {
    const values: Readonly<Record<string, unknown>> = { ...record };
    const known = columns.filter((column) => values[column] !== undefined);
    const head = { time: new Date().toISOString(), level: levels[record.event], event: record.event };
    const line =
      format === 'json'
        ? JSON.stringify({ ...head, ...Object.fromEntries(known.map((column) => [column, values[column]])) })
        : [head.time, head.level.padEnd(5), head.event, ...known.map((column) => `${column}=${String(values[column])}`)].join(' ');
    write(`${line}\n`);
  };
}

/** The pattern as a name of the closed list. */
export function toRoutePattern(url: string | undefined): RoutePattern {
  return routePatterns.find((pattern) => pattern === url) ?? '(unknown)';
}
