/** What the witness says, where it counts: a trail that must have one stops and goes on by it, and one that was set back is not opened. */
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { AuditTrail, type WitnessOptions } from '../../../../../server/privacy/audit/trail.ts';
import type { WitnessCode } from '../../../../../server/privacy/audit/witness.ts';
import { readEntries } from '../log-site.ts';

const top = mkdtempSync(join(tmpdir(), 'inward-witnessed-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));
const newSite = (): string => mkdtempSync(join(top, 'site-'));
const logOf = (site: string): string => join(site, 'audit', '1');

interface Witnessed extends AsyncDisposable {
  readonly trail: AuditTrail;
  readonly codes: readonly (WitnessCode | undefined)[];
}

async function open(site: string, setting: string, options: Partial<WitnessOptions> = {}): Promise<Witnessed> {
  const trail = await AuditTrail.open(site, { facts: { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } });
  const codes: (WitnessCode | undefined)[] = [];
  try {
    await trail.addWitness(setting, { site, outbound: () => [], onChange: (code) => codes.push(code), ...options });
  } catch (error) {
    await trail[Symbol.asyncDispose]();
    throw error;
  }
  return { trail, codes, [Symbol.asyncDispose]: () => trail[Symbol.asyncDispose]() };
}

/** Runs until the witness has all; gives the causes for which the trail had stopped. */
async function run(site: string, setting: string, count: number): Promise<(string | undefined)[]> {
  await using witnessed = await open(site, setting);
  const { trail } = witnessed;
  const faults: (string | undefined)[] = [];
  trail.onState(() => faults.push(trail.fault));
  for (let index = 0; index < count; index++) await trail.record({ event: 'cache_flushed' });
  return faults;
}

/** A witness that keeps what it gets once a file is there. */
function createSwitch(): { readonly setting: string; turnOn(): void } {
  const folder = mkdtempSync(join(top, 'witness-'));
  const [path, flag] = [join(folder, 'keep'), join(folder, 'on')];
  writeFileSync(path, `#!/bin/sh\ncat >/dev/null\ntest -e ${flag}\n`);
  chmodSync(path, 0o755);
  return { setting: `command:${path}`, turnOn: () => writeFileSync(flag, '') };
}

test('a witness that is required and late stops the trail, until it has the newest checkpoint', async () => {
  const site = newSite();
  const { setting, turnOn } = createSwitch();
  {
    await using witnessed = await open(site, setting, { lagLimitMs: 200 });
    const { trail, codes } = witnessed;
    await expect.poll(() => trail.fault, { timeout: 20_000 }).toBe('witness');
    await expect(trail.record({ event: 'cache_flushed' })).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(codes).toEqual(['command_failed']);
    turnOn();
    await expect.poll(() => trail.fault, { timeout: 60_000 }).toBeUndefined();
    expect(codes).toEqual(['command_failed', undefined]);
  }
  const events = readEntries(logOf(site));
  expect(events.filter(({ event }) => event === 'audit_stopped')[0]).toMatchObject({ cause: 'witness' });
  expect(events.filter(({ event }) => event === 'audit_resumed')[0]).toMatchObject({ cause: 'witness' });
});

test('one that is not required may be as late as it likes', async () => {
  const { setting } = createSwitch();
  await using witnessed = await open(newSite(), setting);
  const { trail, codes } = witnessed;
  await expect.poll(() => codes, { timeout: 20_000 }).toEqual(['command_failed']);
  await trail.record({ event: 'cache_flushed' });
  expect(trail.fault).toBeUndefined();
});

test('a log that was set back is not opened; one that has grown since to another history stops, whether the witness is required or not', async () => {
  const [site, older] = [newSite(), join(top, 'older')];
  const setting = `file:${join(top, 'checkpoints')}`;
  expect(await run(site, setting, 5)).toEqual([]);
  cpSync(logOf(site), older, { recursive: true });
  expect(await run(site, setting, 5)).toEqual([]);

  rmSync(logOf(site), { recursive: true });
  cpSync(older, logOf(site), { recursive: true });
  // A copy has no modes.
  chmodSync(logOf(site), 0o700);
  await expect(open(site, setting)).rejects.toThrow(/was set back: it ends with record \d+, and its witness has seen record \d+\./);

  // Without a witness it goes on until it is longer than what that has seen.
  await using trail = await AuditTrail.open(site, { facts: { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } });
  for (let index = 0; index < 30; index++) await trail.record({ event: 'cache_flushed' });
  await trail.addWitness(setting, { site, outbound: () => [], onChange: () => undefined });
  await expect.poll(() => trail.fault, { timeout: 20_000 }).toBe('witness');
});
