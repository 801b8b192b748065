/**
 * Owns which lines of the log are records of the audit trail too. What happens at the gate is not among them: the gate records that
 * itself.
 */
import type { LogRecord } from './log.ts';
import { nameModel } from './privacy/audit/describe.ts';
import type { AuditEvent } from './privacy/audit/events.ts';

/** Undefined: it is no matter of the trail, or recorded elsewhere. */
export function toAuditEvent(line: LogRecord): AuditEvent | undefined {
  switch (line.event) {
    case 'model_loaded':
      return { event: 'model_loaded', model: nameModel(line.model) };
    case 'model_unloaded':
      return { event: 'model_unloaded', zeroed: line.zeroed };
    case 'model_load_failed':
      return { event: 'model_load_failed', error: line.code };
    case 'engine_lost':
      return { event: 'engine_lost', error: line.code, count: line.count };
    case 'engine_restarted':
      return { event: 'engine_restarted', error: line.code, count: line.count };
    case 'engine_failed':
      return { event: 'engine_failed', error: line.code };
    case 'tls_reloaded':
    case 'token_keys_reloaded':
      return { event: line.event };
    default:
      return undefined;
  }
}
