/** Exports as files. What the formats look like: test/server/privacy/audit/export. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathsOf } from '../../../../server/privacy/audit/folder.ts';
import { SampleLog } from '../../privacy/audit/sample-log.ts';
import { AuditSite } from './audit-site.ts';

let made: AuditSite;
beforeAll(async () => {
  made = await AuditSite.create();
});
afterAll(() => made[Symbol.dispose]());

test.each([
  [
    'fhir',
    9,
    (lines: readonly string[]) =>
      expect(JSON.parse(lines[4] ?? '')).toMatchObject({ resourceType: 'AuditEvent', id: `${made.log.id}-4`, source: { site: 'st-marys' } }),
  ],
  ['syslog', 9, (lines: readonly string[]) => expect(lines[8]).toMatch(/^<\d+>1 2026-11-24T08:04:00\.000Z .* gate_closed \[/)],
  ['csv', 10, (lines: readonly string[]) => expect(lines[0]).toMatch(/^seq,time,event,/)],
  ['json', 9, (lines: readonly string[]) => expect(lines).toEqual(made.log.texts)],
])('%s: every record, and the event of the export', async (format, count, look) => {
  using own = made.copy();
  const { site } = own;
  const path = join(site.home, 'out');
  expect(await site.do('ada', 'audit', 'export', '--format', format, '--out', 'out')).toBe(`The records are in ${path}.\nRecords: 9.\n`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const lines = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  expect(lines).toHaveLength(count);
  look(lines);
  expect(await own.listLeft()).toMatchObject([{ event: 'audit_exported', format, records: 9, log: made.log.id, by: 'ada' }]);
});

test('of a range and several logs, one behind the other', async () => {
  using own = made.copy();
  const { site } = own;
  const second = new SampleLog(join(site.folder, 'audit', '2'), 'second').commit({ event: 'gate_closed' });
  await site.do('ada', 'audit', 'export', '--format', 'json', '--to', '2026-11-23T08:02Z', '--out', 'out');
  expect(readFileSync(join(site.home, 'out'), 'utf8')).toBe(`${[...made.log.texts.slice(0, 2), ...second.texts].join('\n')}\n`);
  expect(await own.listLeft()).toMatchObject([
    { log: made.log.id, records: 2 },
    { log: second.id, records: 2 },
  ]);
});

test('a Bundle with identifiers of the site, syslog with its own number in counted frames', async () => {
  using own = made.copy();
  const { site } = own;
  await site.do('ada', 'audit', 'export', '--format', 'fhir', '--bundle', '--base', 'https://audit.example.org', '--out', 'bundle');
  const text = readFileSync(join(site.home, 'bundle'), 'utf8');
  const bundle = JSON.parse(text);
  expect([bundle.resourceType, bundle.type, bundle.entry.length]).toEqual(['Bundle', 'collection', 9]);
  expect(text).toContain('"https://audit.example.org:host"');
  expect(text).not.toContain('urn:inward');
  await site.do('ada', 'audit', 'export', '--format', 'syslog', '--counted', '--enterprise', '12345', '--out', 'frames');
  // RFC 6587, 3.4.1: the length in octets, a blank, the message.
  let rest = readFileSync(join(site.home, 'frames'));
  let count = 0;
  for (; rest.length > 0; count++) {
    const [head = '', length = ''] = /^(\d+) /.exec(rest.toString('latin1', 0, 12)) ?? [];
    const message = rest.subarray(head.length, head.length + Number(length)).toString();
    expect(message).toMatch(/^<\d+>1 .*\[inward@12345 .*\]$/);
    rest = rest.subarray(head.length + Number(length));
  }
  expect(count).toBe(9);
});

test.each([
  [['--format', 'csv', '--bundle'], 'The option --bundle goes with --format fhir; found csv.'],
  [['--format', 'fhir', '--enterprise', '5'], 'The option --enterprise goes with --format syslog; found fhir.'],
  [['--format', 'fhir', '--base', 'my site'], 'Expected as --base a URI'],
])('%j is refused', async (args, sentence) => {
  using own = made.copy();
  const { code, complained } = await own.site.run('ada', 'audit', 'export', ...args, '--out', 'out');
  expect([code, complained.startsWith(sentence)]).toEqual([2, true]);
  expect(existsSync(join(own.site.home, 'out'))).toBe(false);
});

test('a damaged log leaves no half of a file and no event', async () => {
  using own = made.copy();
  const { site } = own;
  const path = pathsOf(own.folder).segment(1);
  const bytes = readFileSync(path);
  bytes[700]! ^= 1;
  writeFileSync(path, bytes);
  expect((await site.run('ada', 'audit', 'export', '--format', 'csv', '--out', 'out')).complained).toMatch(
    /^The audit log is damaged at .*inward audit verify says more\.$/m,
  );
  expect(existsSync(join(site.home, 'out'))).toBe(false);
  expect(await own.listLeft()).toEqual([]);
});

test('refused: no file, a file that is there, another format', async () => {
  using own = made.copy();
  const { site } = own;
  writeFileSync(join(site.home, 'there'), 'x');
  expect((await site.run('ada', 'audit', 'export', '--format', 'csv')).code).toBe(2);
  expect((await site.run('ada', 'audit', 'export', '--format', 'xml', '--out', 'out')).code).toBe(2);
  expect((await site.run('ada', 'audit', 'export', '--format', 'csv', '--out', 'there')).complained).toMatch(/is there already and is not overwritten/);
  expect(readFileSync(join(site.home, 'there'), 'utf8')).toBe('x');
});
