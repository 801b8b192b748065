/** Proofs as files, which the verifier takes. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyProof } from '../../../../server/privacy/audit/verify.mjs';
import { uuid } from '../../privacy/audit/sample-log.ts';
import { AuditSite } from './audit-site.ts';

let made: AuditSite;
beforeAll(async () => {
  made = await AuditSite.create();
});
afterAll(() => made[Symbol.dispose]());

async function check(text: string): Promise<Awaited<ReturnType<typeof verifyProof>>> {
  return await verifyProof(JSON.parse(text), { keys: [made.log.key] });
}

test('of a record by its number, to a new file that only its maker can read', async () => {
  using own = made.copy();
  const { site } = own;
  const path = join(site.home, 'proof.json');
  expect(await site.do('ada', 'audit', 'prove', '4', '--out', 'proof.json')).toBe(`The proof is in ${path}.\n`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await check(readFileSync(path, 'utf8'))).toMatchObject({
    kind: 'inclusion',
    index: 4,
    size: 9,
    record: made.log.texts[4],
    flawCount: 0,
    unchecked: [],
  });
  expect((await site.run('ada', 'audit', 'prove', '4', '--out', 'proof.json')).complained).toMatch(/is there already/);
  expect(await own.listLeft()).toMatchObject([{ event: 'audit_exported', format: 'proof', records: 1, log: made.log.id, by: 'ada' }]);
});

test('of a request: a proof for each of its two records', async () => {
  using own = made.copy();
  const { site } = own;
  const lines = (await site.do('ada', 'audit', 'prove', uuid(2))).trim().split('\n');
  expect(await Promise.all(lines.map(check))).toMatchObject([
    { index: 4, flawCount: 0 },
    { index: 5, flawCount: 0 },
  ]);
  await site.do('ada', 'audit', 'prove', uuid(2), '--out', 'both.json');
  for (const seq of [4, 5]) expect(await check(readFileSync(join(site.home, `both-${seq}.json`), 'utf8'))).toMatchObject({ index: seq, flawCount: 0 });
});

test('since an older checkpoint', async () => {
  using own = made.copy();
  const { site } = own;
  writeFileSync(join(site.home, 'old.txt'), made.log.notes[1] ?? '');
  expect(await check(await site.do('ada', 'audit', 'prove', '--since', 'old.txt'))).toMatchObject({ kind: 'consistency', oldSize: 3, size: 9, flawCount: 0 });
  writeFileSync(join(site.home, 'old.txt'), 'nothing');
  expect((await site.run('ada', 'audit', 'prove', '--since', 'old.txt')).complained).toMatch(/old\.txt is no checkpoint of an audit log\.$/m);
});

test('an older checkpoint of another history is not proved', async () => {
  using own = made.copy();
  const { site } = own;
  const [name, size, , ...rest] = (made.log.notes[1] ?? '').split('\n');
  writeFileSync(join(site.home, 'old.txt'), [name, size, Buffer.alloc(32, 7).toString('base64'), ...rest].join('\n'));
  expect(await site.run('ada', 'audit', 'prove', '--since', 'old.txt')).toMatchObject({
    code: 1,
    printed: '',
    complained: expect.stringMatching(/^The proof does not hold/),
  });
});

test.each([
  [[], 2, /^Name a record or request/],
  [['4', '--since', 'x'], 2, /^Name a record or request/],
  [['x'], 2, /^Expected the number of a record, or the id of a request\.$/m],
  [['9'], 1, /^The record 9 is not in the audit log/],
  [[uuid(7)], 1, /^There is no record of a request of that id/],
])('prove %j', async (args, code, sentence) => {
  expect(await made.site.run('ada', 'audit', 'prove', ...args)).toMatchObject({ code, complained: expect.stringMatching(sentence) });
});
