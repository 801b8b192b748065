/** A purge by hand, of a log of the real writer. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { listSegments } from '../../../../server/privacy/audit/folder.ts';
import { AuditLog } from '../../../../server/privacy/audit/log.ts';
import { openFolder, verifyLog } from '../../../../server/privacy/audit/verify.mjs';
import { uuid } from '../../privacy/audit/sample-log.ts';
import { TestSite } from '../../site-folder.ts';

afterEach(() => vi.useRealTimers());
const day = 86_400_000;
const begin = Date.parse('2026-11-23T08:00:00Z');
const machine = { boot: uuid(0), host: '0123456789abcdef' };

/** Three days, each a segment. */
async function writeDays(folder: string): Promise<string> {
  let now = begin;
  await using log = (await AuditLog.open(folder, { now: () => now, machine }))!;
  const { key } = log;
  for (let index = 0; index < 3; index++) {
    await log.append({ event: 'gate_closed' });
    await log.append({ event: 'gate_opened' });
    now += day;
  }
  return key;
}

const isStub = (folder: string): boolean[] => listSegments(folder).map((name) => name.isStub);

test('what is six years old goes, by the writer of the log, and the verifier finds nothing wrong', async () => {
  using site = await TestSite.create();
  const folder = join(site.folder, 'audit', '1');
  rmSync(folder, { recursive: true, force: true });
  const key = await writeDays(folder);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2032-11-24T09:00:00Z') });
  expect((await site.run('carl', 'audit', 'purge')).complained).toMatch(/^Without a terminal to ask on, this option must be there too: --yes$/m);
  expect(await site.do('carl', 'audit', 'purge', '--before', '2026-11-23', '--yes')).toMatch(/^Nothing is purged/);
  expect(isStub(folder).slice(0, 3)).toEqual([false, false, false]);
  // The segment of the 23rd ended on the 24th at 08:00, that of the 24th on the 25th.
  expect(await site.do('carl', 'audit', 'purge', '--yes')).toMatch(/^Log 1: segments 1 to 1 with \d records, up to 2026-11-24 08:00 UTC\.\nIt is purged/);
  expect(isStub(folder).slice(0, 3)).toEqual([true, false, false]);
  expect(await site.do('carl', 'audit', 'purge', '--yes')).toMatch(/^Nothing is purged/);
  const report = await verifyLog(await openFolder(folder), { keys: [key] });
  expect(report.flaws).toEqual([]);
  expect(report.purgedSegments).toBe(1);
  expect(report.counts['log_purged']).toBe(1);
});

test('refused while a process writes the log, and to who may only read', async () => {
  using site = await TestSite.create();
  await site.do('anna', 'person', 'add', 'ada', '--roles', 'auditor', '--out', site.identity('ada'));
  const folder = join(site.folder, 'audit', '1');
  rmSync(folder, { recursive: true, force: true });
  await writeDays(folder);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2033-01-01T00:00:00Z') });
  {
    await using _ = (await AuditLog.open(folder, { now: Date.now, machine }))!;
    expect((await site.run('carl', 'audit', 'purge', '--yes')).complained).toMatch(/^A process that runs writes the audit log 1: end it/m);
  }
  expect((await site.run('ada', 'audit', 'purge', '--yes')).complained).toMatch(/it needs audit\.write/);
  expect(isStub(folder).slice(0, 3)).toEqual([false, false, false]);
});
