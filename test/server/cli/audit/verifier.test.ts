/** The verifier for a machine of the auditor. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuditSite } from './audit-site.ts';

test('runs alone, from its new folder; a folder that holds something is refused', async () => {
  using made = await AuditSite.create();
  const { site, log } = made;
  expect(await site.do('nobody', 'audit', 'verifier', '--out', 'away')).toMatch(/^verify\.mjs, verify-audit\.py, audit\.md, verify\.html: in /);
  const printed = execFileSync(process.execPath, [join(site.home, 'away', 'verify.mjs'), log.folder, '--key', log.key], {
    cwd: '/',
    encoding: 'utf8',
    env: {},
  });
  expect(printed).toMatch(/^INTACT/m);
  expect((await site.run('nobody', 'audit', 'verifier', '--out', 'away')).complained).toMatch(/holds something: expected an empty one/);
});
