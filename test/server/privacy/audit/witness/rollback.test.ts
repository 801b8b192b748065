/** The log itself before a witness: its whole folder set back to an older copy, and two histories that go on from one copy. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { AuditLog } from '../../../../../server/privacy/audit/log.ts';
import { openWitness, type WitnessCode, type Witnessed, WitnessFollower } from '../../../../../server/privacy/audit/witness.ts';

const top = mkdtempSync(join(tmpdir(), 'inward-rollback-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));
const audit = join(top, 'audit');
const folder = join(audit, '1');
const setting = `file:${join(top, 'checkpoints')}`;
mkdirSync(audit);

/** Runs the log with its witness, as a server does; gives what the witness said, newest last, and the size of the log at its start. */
async function run(
  count: number,
): Promise<{ readonly codes: (WitnessCode | undefined)[]; readonly isKept: boolean; readonly seen: number; readonly size: number }> {
  const codes: (WitnessCode | undefined)[] = [];
  await using log = await AuditLog.open(folder, {
    now: Date.now,
    machine: { boot: '00000000-0000-4000-8000-000000000000', host: '0'.repeat(16) },
  });
  if (log === undefined) throw new Error('the log is locked');
  const { size } = log.checkpoint;
  const witness = await openWitness(setting, () => [], { id: log.id, folder: audit });
  const seen = witness.lastSeen()?.size ?? 0;
  await using follower = new WitnessFollower(witness, { onChange: (code) => codes.push(code) });
  let offered = 0;
  log.onCheckpoint((checkpoint: Witnessed) => {
    offered = checkpoint.size;
    follower.offer(checkpoint);
  });
  for (let index = 0; index < count; index++) await log.append({ event: 'cache_flushed' });
  // A record is told to be durable before its checkpoint is.
  while (offered < log.checkpoint.size) await new Promise(setImmediate);
  return { codes, isKept: await follower.flush(300), seen, size };
}

test('is found out', async () => {
  expect(await run(5)).toMatchObject({ codes: [], isKept: true, seen: 0 });
  const older = join(top, 'older');
  cpSync(folder, older, { recursive: true });
  const good = await run(5);
  expect(good).toMatchObject({ codes: [], isKept: true });
  expect(good.seen).toBeLessThanOrEqual(good.size);

  rmSync(folder, { recursive: true });
  cpSync(older, folder, { recursive: true });
  // A copy has no modes.
  chmodSync(folder, 0o700);
  const back = await run(1);
  expect(back).toMatchObject({ codes: ['rolled_back'], isKept: false });
  // Seen at the start, before anything is written.
  expect(back.seen).toBeGreaterThan(back.size);
  // It goes on until it is longer than what the witness has.
  expect(await run(30)).toMatchObject({ codes: expect.arrayContaining(['forked']), isKept: false });
});
