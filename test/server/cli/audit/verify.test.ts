/** The verifier as a command: verdict, flaws with their place, exit code, event. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathsOf } from '../../../../server/privacy/audit/folder.ts';
import { pair, SampleLog } from '../../privacy/audit/sample-log.ts';
import { AuditSite } from './audit-site.ts';

let made: AuditSite;
beforeAll(async () => {
  made = await AuditSite.create();
});
afterAll(() => made[Symbol.dispose]());

function damage(folder: string): void {
  const path = pathsOf(folder).segment(1);
  const bytes = readFileSync(path);
  bytes[700]! ^= 1;
  writeFileSync(path, bytes);
}

test('an intact log, with its key and a witness, and the event of the check', async () => {
  using own = made.copy();
  const { site } = own;
  writeFileSync(join(site.home, 'first.key'), `${made.log.key}\n`);
  writeFileSync(join(site.home, 'witness'), made.log.notes.slice(1, 3).join(''));
  const printed = await site.do('ada', 'audit', 'verify', '--key', 'first.key', '--witness', 'witness');
  expect(printed).toMatch(/^INTACT: every check passed\.$/m);
  expect(printed).not.toMatch(/^Not checked: The first key/m);
  expect(await site.do('ada', 'audit', 'verify', '--key', made.log.key)).toMatch(/^INTACT/m);
  expect(await own.listLeft()).toMatchObject([
    { event: 'audit_verified', log: made.log.id, records: 9, intact: true, by: 'ada' },
    { event: 'audit_verified', log: made.log.id, records: 9, intact: true, by: 'ada' },
  ]);
});

test('a damaged log: exit code 1, each flaw with its place, and the event says so', async () => {
  using own = made.copy();
  const { site } = own;
  damage(own.folder);
  const { code, printed } = await site.run('ada', 'audit', 'verify');
  expect(code).toBe(1);
  expect(printed).toMatch(/^DAMAGED: \d+ flaws?\.$/m);
  expect(printed).toMatch(/^ {2}00000001\.log, byte \d+/m);
  const [report] = JSON.parse((await site.run('ada', 'audit', 'verify', '--json')).printed);
  expect(report.flaws[0]).toMatchObject({ file: '00000001.log' });
  expect(await own.listLeft()).toMatchObject([{ intact: false }, { intact: false }]);
});

test('a log that was taken away is missed by who has its key, and one that was cut by its witness', async () => {
  using own = made.copy();
  const { site } = own;
  const other = new SampleLog(join(site.home, 'other'), 'other').commit(...pair(1));
  const { code, complained } = await site.run('ada', 'audit', 'verify', '--key', other.key);
  expect(code).toBe(1);
  expect(complained).toMatch(/^No log of this site is the one of a key or witness that was given/);
  const later = new SampleLog(join(site.home, 'later'), 'sample');
  while (later.size < 20) later.commit({ event: 'gate_closed' });
  writeFileSync(join(site.home, 'witness'), later.notes.at(-1) ?? '');
  const cut = await site.run('ada', 'audit', 'verify', '--witness', 'witness');
  expect(cut.code).toBe(1);
  expect(cut.printed).toMatch(/the witness has seen 20: the end was cut off or put back to an older state/);
});

test('what is no key, and who may not', async () => {
  expect((await made.site.run('ada', 'audit', 'verify', '--key', 'nothing')).complained).toMatch(/^--key is no key of an audit log/);
  expect((await made.site.run('anna', 'audit', 'verify')).complained).toMatch(/it needs audit\.read/);
});
