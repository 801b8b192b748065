/** The review sheet as a command. What is in it: test/server/privacy/audit/report.test.ts. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { SampleLog } from '../../privacy/audit/sample-log.ts';
import { AuditSite } from './audit-site.ts';

let made: AuditSite;
beforeAll(async () => {
  made = await AuditSite.create();
});
afterAll(() => made[Symbol.dispose]());
afterEach(() => vi.useRealTimers());

test('of a week, with the check of the log, and both leave an event', async () => {
  using own = made.copy();
  const lines = (await own.site.do('ada', 'audit', 'report', '--week', '2026-W48')).split('\n');
  expect(lines[0]).toBe('Review of the audit trail, st-marys');
  expect(lines[1]).toBe('2026-11-23 00:00:00 UTC to 2026-11-30 00:00:00 UTC; days and hours of UTC. 9 records.');
  expect(lines[2]).toMatch(/^Checked .*: all 9 records of the log are whole\.$/);
  expect(await own.listLeft()).toMatchObject([
    { event: 'audit_verified', log: made.log.id, intact: true, by: 'ada' },
    { event: 'audit_exported', log: made.log.id, format: 'report', records: 9, by: 'ada' },
  ]);
});

test('without a period it is the last whole week', async () => {
  // A Sunday: its own week is not over.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-12-06T23:00:00Z') });
  const summary = await made.site.json<{ period: object; records: number; total: { requests: number } }>('ada', 'audit', 'report', '--no-verify');
  expect(summary.period).toEqual({ from: '2026-11-23T00:00:00.000Z', to: '2026-11-30T00:00:00.000Z', timeZone: 'UTC' });
  expect(summary.records).toBe(9);
});

test('of a period, as a page', async () => {
  using own = made.copy();
  const { site } = own;
  const path = join(site.home, 'sheet.html');
  expect(await site.do('ada', 'audit', 'report', '--from', '2026-11-24', '--to', '2026-11-25', '--html', 'sheet.html')).toBe(`The sheet is in ${path}.\n`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const page = readFileSync(path, 'utf8');
  expect(page).toContain('2026-11-24 00:00:00 UTC to 2026-11-25 00:00:00 UTC; days and hours of UTC. 5 records, 4 to 8.');
  expect(page).toContain(made.log.notes.at(-1)?.split('\n')[2]);
});

test('refused: several logs, a period without a beginning, an unknown zone', async () => {
  using own = made.copy();
  const { site } = own;
  expect((await site.run('ada', 'audit', 'report', '--to', '2026-11-24')).complained).toMatch(/^Expected --from a time before --to/);
  expect((await site.run('ada', 'audit', 'report', '--week', '2026-W54')).code).toBe(2);
  expect((await site.run('ada', 'audit', 'report', '--week', '2026-W48', '--from', '7d')).code).toBe(2);
  expect((await site.run('ada', 'audit', 'report', '--time-zone', 'Mars/Base', '--no-verify')).code).toBe(1);
  new SampleLog(join(site.folder, 'audit', '2'), 'second');
  expect((await site.run('ada', 'audit', 'report')).complained).toMatch(
    /^A sheet is of one log, and the site has several logs: name one with --log \(1, 2\)\.$/m,
  );
});
