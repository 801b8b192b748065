/** Lines of syslog, read by a parser of the grammar in RFC 5424, section 6. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AuditRecord } from '../../../../../server/privacy/audit/events.ts';
import { listFields } from '../../../../../server/privacy/audit/export/fields.ts';
import { exportSyslog } from '../../../../../server/privacy/audit/export/syslog.ts';
import { anyRecords, oneOfEach } from '../any-record.ts';
import { parseSyslog } from './parse-syslog.ts';

const place = { seq: 7, time: Date.UTC(2026, 10, 26, 14, 3, 5, 42), up: 1000, boot: '11111111-2222-4333-8444-555555555555', host: '00112233445566aa' };
const line = (record: AuditRecord): string => [...exportSyslog([record])].join('');

test('by hand', () => {
  // 13 * 8 + 5: log audit, notice.
  expect(line({ ...place, event: 'stopped', kind: 'server' })).toBe(
    '<109>1 2026-11-26T14:03:05.042Z 00112233445566aa inward - stopped [inward@32473 seq="7" up="1000" boot="11111111-2222-4333-8444-555555555555" kind="server"]\n',
  );
});

test.each([
  [{ event: 'gap', cause: 'torn', bytes: 1, records: 1 }, 3],
  [{ event: 'audit_stopped', cause: 'space' }, 2],
  [{ event: 'denied', route: '/v1/models', refusal: 'role_denied' }, 4],
  [{ event: 'auth_failed', route: '/v1/models', refusal: 'key_invalid' }, 4],
  [{ event: 'outcome', request: place.boot, ending: 'stop' }, 6],
  [{ event: 'outcome', request: place.boot, ending: 'crashed' }, 2],
  [{ event: 'model_unloaded', zeroed: false }, 3],
] as const)('%j is of severity %i', (event, severity) => expect(parseSyslog(line({ ...place, ...event }).trimEnd()).severity).toBe(severity));

function expectFields(record: AuditRecord, text: string, enterprise = 32473): void {
  const message = parseSyslog(text);
  expect(message).toMatchObject({ facility: 13, version: 1, application: 'inward', process: '-', id: record.event, host: record.host, message: undefined });
  expect(Date.parse(message.timestamp)).toBe(record.time);
  expect(message.timestamp).toMatch(/\.\d{3}Z$/);
  expect([...message.data.keys()]).toEqual([`inward@${enterprise}`]);
  const found = new Map([
    ...(message.data.get(`inward@${enterprise}`) ?? []),
    ['time', message.timestamp],
    ['host', message.host],
    ['event', message.id],
  ] as const);
  expect(found).toEqual(new Map(listFields(record)));
  // RFC 5424, section 6.1: what every receiver should take.
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2048);
}

test('every record can be read again from its line', () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      const lines = [...exportSyslog([...records, ...oneOfEach], { enterprise: 55555 })];
      for (const [index, record] of [...records, ...oneOfEach].entries()) {
        expect(lines[index]?.endsWith('\n')).toBe(true);
        expectFields(record, (lines[index] ?? '').slice(0, -1), 55555);
      }
    }),
    { numRuns: 30 },
  );
});

test('counted frames are as long as they say', () => {
  let rest = Buffer.from([...exportSyslog(oneOfEach, { framing: 'counted' })].join(''));
  const texts: string[] = [];
  while (rest.length > 0) {
    const space = rest.indexOf(' ');
    const size = Number(rest.subarray(0, space).toString());
    texts.push(rest.subarray(space + 1, space + 1 + size).toString());
    rest = rest.subarray(space + 1 + size);
  }
  expect(texts).toHaveLength(oneOfEach.length);
  for (const [index, record] of oneOfEach.entries()) expectFields(record, texts[index] ?? '');
});

/** No field can hold these today; the writer must not depend on it. */
test('quotes, backslashes and brackets come back', () => {
  const texts = fc.string({ unit: fc.constantFrom('"', '\\', ']', '[', '=', ' ', 'a', '\u00e4'), minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(texts, (tenant) => {
      const record = { ...place, event: 'tenant_closed', tenant } as const;
      expect(parseSyslog(line(record).slice(0, -1)).data.get('inward@32473')?.get('tenant')).toBe(tenant);
    }),
  );
});

test.each([
  ['no priority', '1 2026-11-26T14:03:05.042Z h inward - x [a@1 b="c"]'],
  ['a priority beyond 191', '<192>1 2026-11-26T14:03:05.042Z h inward - x [a@1 b="c"]'],
  ['a bare quote in a value', '<109>1 2026-11-26T14:03:05.042Z h inward - x [a@1 b="c"d"]'],
  ['a bare bracket in a value', '<109>1 2026-11-26T14:03:05.042Z h inward - x [a@1 b="c]d"]'],
  ['a name twice', '<109>1 2026-11-26T14:03:05.042Z h inward - x [a@1 b="c" b="d"]'],
  ['a name of more than 32 letters', `<109>1 2026-11-26T14:03:05.042Z h inward - ${'x'.repeat(33)} [a@1 b="c"]`],
  ['a month 13', '<109>1 2026-13-26T14:03:05.042Z h inward - x [a@1 b="c"]'],
  ['text behind the data without a blank', '<109>1 2026-11-26T14:03:05.042Z h inward - x [a@1 b="c"]d'],
])('the parser refuses %s', (_, text) => expect(() => parseSyslog(text)).toThrow());
