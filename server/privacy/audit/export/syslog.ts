/**
 * Owns the audit trail as lines of syslog (RFC 5424): everything stands in the structured data, and there is no message, which would
 * be free text. Refuses to send: lines go where the caller writes them.
 */
import type { AuditRecord } from '../events.ts';
import { formatTime, listFields } from './fields.ts';
import { judgeSeverity } from './traits.ts';

export interface SyslogOptions {
  /** Private enterprise number of the names in the structured data; default 32473, which RFC 5612 keeps for examples. */
  readonly enterprise?: number | undefined;
  /** `line`: a line feed behind each (RFC 6587, section 3.4.2). `counted`: its size in front of it (section 3.4.1, RFC 5425). */
  readonly framing?: 'line' | 'counted';
}

/** "Log audit" of RFC 5424, table 1. */
const facility = 13;

/** One chunk a record. */
export function* exportSyslog(records: Iterable<AuditRecord>, options: SyslogOptions = {}): Generator<string, void, undefined> {
  const { enterprise = 32473, framing = 'line' } = options;
  for (const record of records) {
    const line = formatLine(record, enterprise);
    yield framing === 'line' ? `${line}\n` : `${Buffer.byteLength(line)} ${line}`;
  }
}

/** Its header names the host by its hash, as the records do, and no process. */
function formatLine(record: AuditRecord, enterprise: number): string {
  const { time, host, event } = record;
  const parameters = listFields(record)
    .filter(([name]) => name !== 'time' && name !== 'host' && name !== 'event')
    .map(([name, value]) => ` ${name}="${value.replace(/["\\\]]/g, '\\$&')}"`);
  return `<${facility * 8 + judgeSeverity(record)}>1 ${formatTime(time)} ${host} inward - ${event} [inward@${enterprise}${parameters.join('')}]`;
}
