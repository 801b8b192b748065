/** What is to be noted down. */
import { expect, test } from 'vitest';
import { pathsOf } from '../../../../server/privacy/audit/folder.ts';
import { readSegmentEnd } from '../../../../server/privacy/audit/segments.ts';
import { AuditSite } from './audit-site.ts';

test('the first key and the last checkpoint; after a purge the key is only where it was noted', async () => {
  using made = await AuditSite.create();
  const { site, log } = made;
  const note = log.notes.at(-1);
  expect(await site.do('ada', 'audit', 'key')).toBe(`Log 1\nIts first key:\n${log.key}\nIts checkpoint now:\n${note}\n`);
  const end = readSegmentEnd(pathsOf(`${site.folder}/audit/1`).segment(1));
  log.purge(1, end.record, end.checkpoint);
  expect(await site.do('ada', 'audit', 'key')).toMatch(/^Its first key was purged with its first records: it is where you noted it down\.$/m);
  expect((await site.run('anna', 'audit', 'key')).complained).toMatch(/it needs audit\.read/);
});
