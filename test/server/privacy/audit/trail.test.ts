/** The trail with its witness: what the server wires together when `auditWitness` is set. */
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuditTrail, type WitnessOptions } from '../../../../server/privacy/audit/trail.ts';
import type { WitnessCode } from '../../../../server/privacy/audit/witness.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';

let top: string;
let site: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'inward-trail-'));
  site = join(top, 'site');
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const facts = { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } as const;
const codes: (WitnessCode | undefined)[] = [];
const options = (): WitnessOptions => ({ site, outbound: () => [], onChange: (code) => codes.push(code) });
const patience = { timeout: 20_000 };

test('the witness has the newest checkpoint, at the latest when the trail is closed', async () => {
  const kept = join(top, 'checkpoints');
  const trail = await AuditTrail.open(site, { facts });
  await trail.addWitness(`file:${kept}`, options());
  await trail.record({ event: 'gate_closed' });
  await trail.record({ event: 'gate_closed' });
  const { note } = trail.checkpoint;
  await trail[Symbol.asyncDispose]();
  expect(readFileSync(kept, 'utf8').endsWith(note)).toBe(true);
});

test('a witness that is required and late stops the trail; when it has the newest checkpoint the trail goes on', { timeout: 60_000 }, async () => {
  const [flag, program] = [join(top, 'flag'), join(top, 'keep')];
  writeFileSync(program, `#!/bin/sh\ncat > /dev/null\ntest -e ${flag}\n`);
  chmodSync(program, 0o700);
  await using trail = await AuditTrail.open(site, { facts });
  await trail.addWitness(`command:${program}`, { ...options(), lagLimitMs: 100 });
  await expect.poll(() => trail.fault, patience).toBe('witness');
  await expect(trail.record({ event: 'gate_closed' })).rejects.toMatchObject({ code: 'audit_unavailable', fields: { cause: 'witness' } });
  expect(codes.at(-1)).toBe('command_failed');
  writeFileSync(flag, '');
  await expect.poll(() => trail.fault, patience).toBeUndefined();
  await trail.record({ event: 'gate_closed' });
});

test('a witness that is not required stops nothing while it cannot keep', async () => {
  await using trail = await AuditTrail.open(site, { facts });
  await trail.addWitness('command:/bin/false', options());
  await expect.poll(() => codes.at(-1), patience).toBe('command_failed');
  await trail.record({ event: 'gate_closed' });
  expect(trail.fault).toBeUndefined();
});

test('a folder that was set back to an older copy is refused at the start', async () => {
  const setting = `file:${join(top, 'checkpoints')}`;
  const run = async (): Promise<void> => {
    await using trail = await AuditTrail.open(site, { facts });
    await trail.addWitness(setting, options());
    await trail.record({ event: 'gate_closed' });
  };
  await run();
  const older = join(top, 'older');
  cpSync(site, older, { recursive: true });
  await run();
  rmSync(site, { recursive: true });
  cpSync(older, site, { recursive: true });
  // A copy has no modes.
  for (const folder of ['', 'audit', 'audit/1']) chmodSync(join(site, folder), 0o700);
  await expect(run()).rejects.toThrow(SiteError);
  await expect(run()).rejects.toThrow(/was set back: it ends with record \d+, and its witness has seen record \d+/);
});
