/**
 * Owns sites with an audit log for tests of its commands: `carl` (compliance) and `ada` (auditor) may read it, `anna` (admin) may not.
 */
import { join } from 'node:path';
import type { AdministrationEvent } from '../../../../server/privacy/audit/events.ts';
import { openStore } from '../../../../server/privacy/store/sqlite.ts';
import { pair, SampleLog, startTime } from '../../privacy/audit/sample-log.ts';
import { TestSite } from '../../site-folder.ts';

export interface AuditSite extends Disposable {
  readonly site: TestSite;
  readonly log: SampleLog;
}

/** Two days: records 0 to 8, a request of the second day by another key and department, one refused. */
export async function createAuditSite(): Promise<AuditSite> {
  const site = await TestSite.create();
  await site.do('carl', 'person', 'list');
  await site.do('anna', 'person', 'add', 'ada', '--roles', 'auditor', '--out', site.identity('ada'));
  const log = new SampleLog(join(site.folder, 'audit', '1')).commit(...pair(1)).rotate();
  log.time = startTime + 86_400_000;
  log.commit(...pair(2, { key: 'k987654321', tenant: 'cardiology' }));
  log.commit({ event: 'denied', route: '/v1/chat/completions', refusal: 'hours_denied', key: 'k987654321' });
  log.commit({ event: 'person_revoked', person: 'm.jones', by: 'anna', at: log.time - 5000 });
  log.commit({ event: 'gate_closed' });
  return { site, log, [Symbol.dispose]: () => site[Symbol.dispose]() };
}

/** The events that commands have left for the log. */
export async function listLeft({ path }: TestSite): Promise<readonly AdministrationEvent[]> {
  await using store = await openStore(path);
  const changes = await store.listChanges();
  return changes.map(({ event }) => event).filter(({ event }) => event.startsWith('audit_'));
}
