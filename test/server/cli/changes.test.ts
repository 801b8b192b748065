/** Who and when, in the events that commands leave for the audit trail. */
import { rmSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { Edit } from '../../../server/privacy/store/edit.ts';
import { TestSite } from '../site-folder.ts';

afterEach(() => vi.useRealTimers());

test('a set-up is by nobody yet, every command after it by its person at its time', async () => {
  const now = Date.parse('2027-01-01T00:00:00Z');
  const later = now + 3_600_000;
  vi.useFakeTimers({ toFake: ['Date'], now });
  // Whoever takes events from the store does not matter here.
  using note = vi.spyOn(Edit.prototype, 'note');
  using site = await TestSite.create();
  vi.setSystemTime(later);
  await site.do('anna', 'tenant', 'add', 'cardiology');
  await site.do('anna', 'tenant', 'quota', 'cardiology', '--tokens-per-day', '5000');
  await site.do('anna', 'person', 'add', 'olaf', '--roles', 'operator,viewer', '--out', site.identity('olaf'));
  rmSync(site.identity('olaf'));
  await site.do('anna', 'person', 'renew', 'olaf', '--out', site.identity('olaf'));
  const make = ['key', 'create', '--label', 'scribe', '--purposes', 'documentation'];
  const { id } = await site.json<{ id: string }>('anna', ...make);
  const { id: next } = await site.json<{ id: string }>('anna', 'key', 'rotate', id, '--overlap', '24h');
  await site.do('olaf', 'key', 'revoke', next);
  await site.do('anna', 'store', 'backup', 'backup.sqlite');
  await site.do('anna', 'person', 'revoke', 'olaf');
  await site.change((store) => store.keepClock(later + 1));
  await site.do('anna', 'store', 'reset-clock');
  await site.do('anna', 'store', 'restore', 'backup.sqlite');
  const [setUp, by] = [
    { by: 'setup', at: now },
    { by: 'anna', at: later },
  ];
  expect(note.mock.calls.map(([event]) => event)).toEqual([
    { event: 'person_added', person: 'anna', roles: 'admin', ...setUp },
    { event: 'person_added', person: 'carl', roles: 'compliance', ...setUp },
    { event: 'tenant_added', tenant: 'main', ...setUp },
    { event: 'policy_set', site: 'st-marys', region: 'us-east', signatures: 1, ...setUp },
    { event: 'tenant_added', tenant: 'cardiology', ...by },
    { event: 'tenant_quota_set', tenant: 'cardiology', ...by },
    { event: 'person_added', person: 'olaf', roles: 'operator,viewer', ...by },
    { event: 'person_renewed', person: 'olaf', ...by },
    { event: 'key_created', key: id, tenant: 'main', data: 'phi', ...by },
    { event: 'key_created', key: next, tenant: 'main', data: 'phi', replaces: id, ...by },
    { event: 'key_revoked', key: id, from: later + 86_400_000, ...by },
    { event: 'key_revoked', key: next, from: later, by: 'olaf', at: later },
    { event: 'person_revoked', person: 'olaf', ...by },
    { event: 'clock_reset', ...by },
    { event: 'store_restored', ...by },
  ]);
});
