/** What the trail does with a fault of the program itself. What its witness does to it: witness/trail.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AuditEvent } from '../../../../server/privacy/audit/events.ts';
import { AuditTrail } from '../../../../server/privacy/audit/trail.ts';
import { readEntries } from './log-site.ts';

test('an event that cannot be recorded because it does not fit is no record that is missing unseen: the trail stops until the next start', async () => {
  const site = mkdtempSync(join(tmpdir(), 'inward-trail-'));
  try {
    const facts = { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } as const;
    {
      await using trail = await AuditTrail.open(site, { facts });
      trail.note({ event: 'break_glass', key: 'no key of ours' });
      await expect.poll(() => trail.fault).toBe('program');
      await expect(trail.record({ event: 'gate_closed' })).rejects.toMatchObject({ code: 'audit_unavailable', fields: { cause: 'program' } });
    }
    await using again = await AuditTrail.open(site, { facts });
    expect(again.fault).toBeUndefined();
    await again.record({ event: 'gate_closed' });
    const events = readEntries(join(site, 'audit', '1')).map(({ event }) => event as AuditEvent['event']);
    expect(events).toEqual(['log_created', 'audit_stopped', 'gate_closed', 'gate_closed']);
  } finally {
    rmSync(site, { recursive: true, force: true });
  }
});
