/** One line for a record of each event. */
import { describe, expect, test } from 'vitest';
import { describeRecord } from '../../../../server/cli/audit/describe.ts';
import { type AuditEvent, type AuditRecord, commonFields, type EventName, eventTable } from '../../../../server/privacy/audit/events.ts';
import { uuid } from '../../privacy/audit/sample-log.ts';

const place = { seq: 7, time: Date.parse('2026-11-24T08:00:00Z'), up: 5, boot: uuid(0), host: '0123456789abcdef' };
const tell = (event: AuditEvent): { who: string; what: string } => describeRecord({ ...place, ...event } as AuditRecord);

describe('who it was', () => {
  test.each<[AuditEvent, string, string]>([
    [{ event: 'gate_closed' }, '-', ''],
    [{ event: 'break_glass', key: 'k123456789' }, 'k123456789', ''],
    [{ event: 'auth_failed', route: '(unknown)', refusal: 'key_invalid', address: '::1' }, '-', 'route=(unknown) address=::1 refusal=key_invalid'],
    [{ event: 'denied', route: '/metrics', refusal: 'role_denied', person: 'm.jones' }, 'm.jones', 'route=/metrics refusal=role_denied'],
    // By an admin, to a key and to a person.
    [
      { event: 'key_revoked', key: 'k123456789', by: 'anna', at: place.time, from: place.time + 3_600_000 },
      'anna',
      'key=k123456789 at=2026-11-24T08:00:00.000Z from=2026-11-24T09:00:00.000Z',
    ],
    [{ event: 'person_renewed', person: 'm.jones', by: 'anna', at: place.time, change: 4 }, 'anna', 'change=4 person=m.jones at=2026-11-24T08:00:00.000Z'],
  ])('%j', (event, who, what) => expect(tell(event)).toMatchObject({ who, what }));

  test('a public key of the log is nobody', () => {
    const key = Buffer.alloc(32, 1).toString('base64');
    expect(tell({ event: 'log_rotated', segment: 2, key, open: 0 })).toMatchObject({ who: '-', what: `segment=2 key=${key} open=0` });
  });
});

test.each(Object.keys(eventTable) as EventName[])('%s: every field is told', (event) => {
  const fields = Object.keys(eventTable[event]);
  // Each value is a number of its own, so that it can be found.
  const record = { ...place, event, ...Object.fromEntries(fields.map((name, index) => [name, 1_000_000 + index])) } as unknown as AuditRecord;
  const { who, what, time } = describeRecord(record);
  for (const [index, name] of fields.entries()) {
    const isTime = name === 'at' || name === 'from';
    expect(`${what} who=${who}`).toContain(isTime ? `${name}=1970-01-01T00:16:40.00${index}Z` : String(1_000_000 + index));
  }
  expect(time).toBe('2026-11-24T08:00:00.000Z');
  for (const name of Object.keys(commonFields)) expect(what).not.toMatch(new RegExp(`\\b${name}=`));
});
