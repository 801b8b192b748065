/** Owns audit records by hand, for tests: each with the next number, at a time that is given as text. */
import { type AuditEvent, type AuditRecord, decodeRecord, type EventOf, encodeRecord } from '../../../../server/privacy/audit/events.ts';

export const host = '00112233445566aa';
const boot = '11111111-2222-4333-8444-555555555555';

/** An id of a request. */
function requestId(number: number): string {
  return `99999999-2222-4333-8444-${String(number).padStart(12, '0')}`;
}

export class Story {
  readonly records: AuditRecord[] = [];

  /** Adds a record, whose form is checked. `time` is ISO 8601. */
  add(time: string, event: AuditEvent): this {
    const at = Date.parse(time);
    this.records.push(decodeRecord(encodeRecord({ seq: this.records.length, time: at, up: at % 1e9, boot, host }, event)));
    return this;
  }

  intent(time: string, number: number, more: Partial<EventOf<'intent'>> = {}): this {
    return this.add(time, {
      event: 'intent',
      request: requestId(number),
      route: '/v1/chat/completions',
      address: '10.1.2.3',
      ...{
        tenant: 'cardiology',
        key: 'aaaaaaaaaa',
        purpose: 'documentation',
        agreement: 'agr-00000001',
        region: 'us-east',
        data: 'phi',
        priority: 'interactive',
      },
      ...more,
    } as const);
  }

  outcome(time: string, number: number, ending: EventOf<'outcome'>['ending'] = 'stop', more: Partial<EventOf<'outcome'>> = {}): this {
    return this.add(time, { event: 'outcome', request: requestId(number), ending, ...more });
  }
}
