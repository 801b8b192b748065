/**
 * Owns sites with an audit log for tests of its commands: `carl` (compliance) and `ada` (auditor) may read it, `anna` (admin) may not.
 */
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AdministrationEvent } from '../../../../server/privacy/audit/events.ts';
import { lockLog } from '../../../../server/privacy/audit/folder.ts';
import { openStore } from '../../../../server/privacy/store/sqlite.ts';
import { pair, SampleLog, startTime } from '../../privacy/audit/sample-log.ts';
import { TestSite } from '../../site-folder.ts';

export class AuditSite implements Disposable {
  readonly site: TestSite;
  readonly log: SampleLog;
  readonly #owned = new DisposableStack();

  private constructor(site: TestSite, log: SampleLog) {
    this.site = this.#owned.use(site);
    this.log = log;
    // As a server that runs: events of commands wait for it in the store, and the log stays as it is.
    const lock = lockLog(join(site.folder, 'audit', '1'));
    if (lock !== undefined) this.#owned.use(lock);
  }

  /** Two days: records 0 to 8, a request of the second day by another key and department, one refused. */
  static async create(): Promise<AuditSite> {
    const site = await TestSite.create();
    await site.do('anna', 'person', 'add', 'ada', '--roles', 'auditor', '--out', site.identity('ada'));
    rmSync(join(site.folder, 'audit'), { recursive: true, force: true });
    const log = new SampleLog(join(site.folder, 'audit', '1')).commit(...pair(1)).rotate();
    log.time = startTime + 86_400_000;
    log.commit(...pair(2, { key: 'k987654321', tenant: 'cardiology' }));
    log.commit({ event: 'denied', route: '/v1/chat/completions', refusal: 'hours_denied', key: 'k987654321' });
    log.commit({ event: 'person_revoked', person: 'm.jones', by: 'anna', at: log.time - 5000 });
    log.commit({ event: 'gate_closed' });
    return new AuditSite(site, log);
  }

  /** The same in another place. */
  copy(): AuditSite {
    const site = this.site.copy();
    const folder = join(site.folder, 'audit', '1');
    cpSync(this.log.folder, folder, { recursive: true, filter: (path) => !path.endsWith('lock') });
    chmodSync(folder, 0o700);
    return new AuditSite(site, this.log);
  }

  /** The folder of its log. */
  get folder(): string {
    return join(this.site.folder, 'audit', '1');
  }

  /** The events that commands have left for the log. */
  async listLeft(): Promise<readonly AdministrationEvent[]> {
    await using store = await openStore(this.site.path);
    const changes = await store.listChanges();
    return changes.map(({ event }) => event).filter(({ event }) => event.startsWith('audit_'));
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}
