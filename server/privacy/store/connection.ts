/**
 * Owns an open store as a file with transactions. Refuses to go on over a file that was moved or replaced, since a
 * revocation that is written there would be seen by nobody.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AdministrationEvent } from '../audit/events.ts';
import { SiteError } from '../errors.ts';
import { toChangeFields } from './changes.ts';
import { type Contents, type Judged, readContents } from './contents.ts';
import { inMemory, openDatabase } from './database.ts';
import { Edit } from './edit.ts';
import { DamagedError, explainStoreError } from './errors.ts';
import { identify } from './files.ts';
import { toKeyFields, toPersonFields, toPolicyFields, toRecordFields, toTenantFields, toTrustedKeyFields } from './rows.ts';

/** What takes the place of what a store holds, with the events of that. */
export interface Replacement<T> {
  readonly merged: Contents;
  readonly events: readonly AdministrationEvent[];
  readonly result: T;
}

export class Connection implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #identity: string | undefined;
  readonly #statements = new Map<string, StatementSync>();
  readonly #judged: Judged = new Map();

  /** Throws SiteError on any doubt about the file. `create`: where there is none, it is made. */
  constructor(path: string, create: boolean) {
    this.path = path;
    this.#database = openDatabase(path, create || path === inMemory);
    this.#identity = path === inMemory ? undefined : identify(path);
  }

  readGeneration(): number {
    const generation = this.#guard(() => this.prepare('SELECT generation FROM meta').get()?.['generation']);
    if (typeof generation !== 'number') throw new DamagedError(this.path, 'its first row is missing');
    return generation;
  }

  readAll(): Contents {
    return this.transact('BEGIN', () => readContents(this.#database, this.path, this.#judged));
  }

  /**
   * A change of what is granted, which must note its event: other processes see by the generation that they have to load.
   * `expected`: the only generation that it may follow.
   */
  change<T>(work: (edit: Edit) => T, expected?: number): T {
    return this.edit((edit) => {
      if (expected !== undefined && edit.readMeta('generation') !== expected) {
        throw new SiteError('The site was changed by somebody else while this command looked at it, so nothing is done: give the command again.');
      }
      const result = work(edit);
      // A fault of the program; no later method can forget it.
      if (edit.isSilent) throw new SiteError('This change would leave no event in the audit trail, so nothing is changed.');
      if (edit.hasNoted) edit.writeMeta('generation', edit.readMeta('generation') + 1);
      return result;
    });
  }

  /** A change that nobody has to load. */
  edit<T>(work: (edit: Edit) => T): T {
    const result = this.transact('BEGIN IMMEDIATE', () => {
      const edit = new Edit((sql) => this.prepare(sql));
      const value = work(edit);
      edit.close();
      return value;
    });
    try {
      // SQLite cuts a damaged log off without a word, and a revocation in it would be gone; pages are checked.
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // The change itself is durable.
    }
    return result;
  }

  /** Puts other contents in place of these, but for usage. */
  replace<T>(work: (present: Contents) => Replacement<T>): T {
    return this.change((edit) => {
      const { merged, events, result } = work(readContents(this.#database, this.path));
      edit.clear();
      insertContents(edit, merged);
      for (const event of events) edit.note(event);
      return result;
    });
  }

  /** Writes all of it into an empty file, as of one moment. */
  copyTo(target: string): void {
    this.#guard(() => this.#database.prepare('VACUUM INTO ?').run(target));
  }

  transact<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
    return this.#guard(() => {
      this.#database.exec(begin);
      try {
        const result = work();
        this.#database.exec('COMMIT');
        return result;
      } finally {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      }
    });
  }

  /** A statement of a closed set, prepared once; for use in a transaction. */
  prepare(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #guard<T>(work: () => T): T {
    if (this.#identity !== undefined && identify(this.path) !== this.#identity) {
      throw new SiteError(`${this.path} was moved or replaced while it was open: start this program again.`);
    }
    try {
      return work();
    } catch (error) {
      throw explainStoreError(error, this.path);
    }
  }
}

function insertContents(edit: Edit, contents: Contents): void {
  if (contents.policy !== undefined) edit.insert('policy', toPolicyFields(contents.policy));
  for (const key of contents.trustedKeys) edit.insert('trustedKeys', toTrustedKeyFields(key));
  for (const record of contents.records) edit.insert('records', toRecordFields(record));
  for (const tenant of contents.tenants) edit.insert('tenants', toTenantFields(tenant));
  for (const key of contents.keys) edit.insert('keys', toKeyFields(key));
  for (const person of contents.people) edit.insert('people', toPersonFields(person));
  for (const change of contents.changes) edit.insert('changes', toChangeFields(change));
  edit.writeMeta('generation', contents.generation);
  edit.writeMeta('clock', contents.clock);
  edit.writeMeta('nextTenant', contents.nextTenant);
  edit.writeMeta('nextChange', contents.nextChange);
  if (contents.siteId !== undefined) edit.identifySite(contents.siteId);
}
