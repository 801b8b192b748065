/** The incident as a command: the document, whose proofs anybody can check, and the sheet. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Incident } from '../../../../server/privacy/audit/incident.ts';
import { verifyProof } from '../../../../server/privacy/audit/verify.mjs';
import { pair, SampleLog } from '../../privacy/audit/sample-log.ts';
import { AuditSite } from './audit-site.ts';

let made: AuditSite;
beforeAll(async () => {
  made = await AuditSite.create();
});
afterAll(() => made[Symbol.dispose]());

const range = ['--from', '2026-11-23', '--to', '2026-11-25'];

test('of a key: its records, each with a proof, and the event', async () => {
  using own = made.copy();
  const { site } = own;
  const path = join(site.home, 'incident.json');
  const printed = await site.do('ada', 'audit', 'incident', ...range, '--key', 'k987654321', '--out', 'incident.json');
  expect(printed.startsWith(`The incident is in ${path}.\nFacts for a breach risk assessment (45 CFR 164.402)\n`)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const incident = JSON.parse(readFileSync(path, 'utf8')) as Incident;
  expect(incident).toMatchObject({ type: 'inward.audit.incident.v1', filter: { key: 'k987654321' }, records: [4, 5, 6] });
  expect(incident.proofs.map(({ record }) => record)).toEqual(made.log.texts.slice(4, 7));
  const { checkpoint, chain } = incident;
  const options = { keys: [made.log.key] };
  for (const proof of incident.proofs)
    expect(await verifyProof({ type: 'inward.audit.proof.v1', kind: 'inclusion', ...proof, checkpoint, chain }, options)).toMatchObject({ flawCount: 0 });
  expect(await verifyProof(incident, options)).toMatchObject({ kind: 'incident', records: 3, flawCount: 0 });
  expect(await own.listLeft()).toMatchObject([{ event: 'audit_exported', format: 'incident', records: 3, log: made.log.id, by: 'ada' }]);
});

test('with nothing in it, the document is whole', async () => {
  using own = made.copy();
  await own.site.do('ada', 'audit', 'incident', ...range, '--address', '10.9.9.9', '--out', 'incident.json');
  expect(JSON.parse(readFileSync(join(own.site.home, 'incident.json'), 'utf8'))).toMatchObject({ records: [], proofs: [], checkpoint: made.log.notes.at(-1) });
});

test('of several logs a document each', async () => {
  using own = made.copy();
  const { site } = own;
  new SampleLog(join(site.folder, 'audit', '2'), 'second').commit(...pair(7));
  await site.do('ada', 'audit', 'incident', ...range, '--tenant', 'main', '--out', 'incident.json');
  const read = (number: number): Incident => JSON.parse(readFileSync(join(site.home, `incident-${number}.json`), 'utf8'));
  expect([read(1).records, read(2).records]).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

test('refused without a window, and to an admin', async () => {
  expect((await made.site.run('ada', 'audit', 'incident', '--out', 'x')).complained).toMatch(/^Expected --from a time before --to/);
  expect((await made.site.run('anna', 'audit', 'incident', ...range, '--out', 'x')).complained).toMatch(/it needs audit\.read/);
});
