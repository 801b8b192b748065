/**
 * Owns the store in a file of its own (SQLite): each method is one transaction, durable when its promise resolves, with the event
 * that the audit trail gets of it. Refuses ids that are used twice or unknown, and to revoke twice.
 */
import { randomBytes } from 'node:crypto';
import type { AdministrationEvent } from '../audit/events.ts';
import { SiteError } from '../errors.ts';
import { type AccessKey, type Credential, credentialSchema, type Person, type Tenant } from '../grants.ts';
import type { Change, Policy, Snapshot, Store, StoredRecord, TrustedKey, Usage } from '../store.ts';
import { Connection } from './connection.ts';
import { toSnapshot } from './contents.ts';
import {
  daySchema,
  fromKeyRow,
  fromTenantRow,
  fromUsageRow,
  judge,
  placeSchema,
  timeSchema,
  toCredentialFields,
  toPersonFields,
  toPolicyFields,
  toRecordFields,
  toTenantFields,
  toTrustedKeyFields,
  toUsage,
} from './rows.ts';
import { describeRevoked, insertKey, noteRecord, revoke } from './steps.ts';

/** Days before the one that is written whose usage is kept. */
const usageDays = 2;

/** The store in the file `path`, or for as long as the process lives (`:memory:`). Throws SiteError on any doubt about the file. */
export async function openStore(path: string, { create = false }: { readonly create?: boolean } = {}): Promise<Store> {
  return new SqliteStore(new Connection(path, create));
}

class SqliteStore implements Store {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  version(): number {
    return this.#connection.readGeneration();
  }

  async load(): Promise<Snapshot> {
    return toSnapshot(this.#connection.readAll());
  }

  async setPolicy(policy: Policy, by: string, at: number): Promise<void> {
    const { one, ...fields } = toPolicyFields(policy);
    this.#connection.change((edit) => {
      if (edit.find('policy', 1)) edit.update('policy', 1, fields);
      else edit.insert('policy', { one, ...fields });
      edit.identifySite(randomBytes(16).toString('hex'));
      edit.note({ event: 'policy_set', ...policy, by, at });
    });
  }

  async addTrustedKey(key: TrustedKey, version?: number): Promise<void> {
    const fields = toTrustedKeyFields(key);
    this.#connection.change((edit) => {
      edit.insert('trustedKeys', fields);
      edit.note({ event: 'trusted_key_added', publicKey: key.id, by: key.addedBy, at: key.addedAt });
    }, version);
  }

  async addRecord(record: StoredRecord, version?: number): Promise<void> {
    const fields = toRecordFields(record);
    this.#connection.change((edit) => {
      edit.insert('records', fields);
      noteRecord(edit, record);
    }, version);
  }

  async revokeAgreement(id: string, by: string, at: number): Promise<void> {
    this.#connection.change((edit) => {
      if (edit.get('records', id)['type'] !== 'inward.agreement.v1') throw new SiteError(`The record ${id} is no agreement: only agreements are revoked.`);
      revoke(edit, 'records', id, by, at);
    });
  }

  async addTenant(tenant: Omit<Tenant, 'number'>, by: string, at: number): Promise<Tenant> {
    return this.#connection.change((edit) => {
      const number = edit.readMeta('nextTenant');
      const fields = toTenantFields({ ...tenant, number });
      edit.insert('tenants', fields);
      edit.writeMeta('nextTenant', number + 1);
      edit.note({ event: 'tenant_added', tenant: tenant.code, by, at });
      return fromTenantRow(edit.get('tenants', tenant.code));
    });
  }

  async setTenantQuota({ code, tokensPerMinute, tokensPerDay }: Omit<Tenant, 'number'>, by: string, at: number): Promise<void> {
    this.#connection.change((edit) => {
      const { number } = fromTenantRow(edit.get('tenants', code));
      toTenantFields({ code, number, tokensPerMinute, tokensPerDay });
      edit.update('tenants', code, { tokensPerMinute, tokensPerDay });
      edit.note({ event: 'tenant_quota_set', tenant: code, by, at });
    });
  }

  async addKey(key: AccessKey, version?: number): Promise<void> {
    this.#connection.change((edit) => insertKey(edit, key), version);
  }

  async revokeKey(id: string, by: string, at: number): Promise<void> {
    this.#connection.change((edit) => revoke(edit, 'keys', id, by, at));
  }

  async replaceKey(key: AccessKey, by: string, at: number): Promise<void> {
    this.#connection.change((edit) => {
      const { replaces } = key;
      if (replaces === undefined) throw new SiteError(`The key ${key.id} replaces none: expected the id of the one before.`);
      const before = fromKeyRow(edit.get('keys', replaces));
      if (before.revokedAt !== undefined) throw new SiteError(describeRevoked('key', replaces, before.revokedAt, before.revokedBy));
      insertKey(edit, key);
      revoke(edit, 'keys', replaces, by, at, key.createdAt);
    });
  }

  async openKey(id: string, at: number): Promise<number> {
    judge(timeSchema, at, 'The time');
    return this.#connection.change((edit) => {
      const { isSealed, openedAt, revokedAt, revokedBy } = fromKeyRow(edit.get('keys', id));
      if (!isSealed) throw new SiteError(`The key ${id} is no break-glass key: only those are opened.`);
      if (revokedAt !== undefined && revokedAt <= at) throw new SiteError(describeRevoked('key', id, revokedAt, revokedBy));
      if (openedAt !== undefined) return openedAt;
      edit.update('keys', id, { openedAt: at });
      edit.note({ event: 'key_opened', key: id, at });
      return at;
    });
  }

  async addPerson(person: Person, version?: number): Promise<void> {
    const fields = toPersonFields(person);
    this.#connection.change((edit) => {
      edit.insert('people', fields);
      edit.note({ event: 'person_added', person: person.id, roles: person.roles.join(','), by: person.createdBy, at: person.createdAt });
    }, version);
  }

  async setPersonCredential(id: string, credential: Credential, by: string, at: number): Promise<void> {
    const fields = toCredentialFields(judge(credentialSchema, credential, 'The credential'));
    this.#connection.change((edit) => {
      edit.get('people', id);
      edit.update('people', id, fields);
      edit.note({ event: 'person_renewed', person: id, by, at });
    });
  }

  async revokePerson(id: string, by: string, at: number, version?: number): Promise<void> {
    this.#connection.change((edit) => revoke(edit, 'people', id, by, at), version);
  }

  async readUsage(day: number): Promise<readonly Usage[]> {
    judge(daySchema, day, 'The day');
    const sql = 'SELECT scope, id, tokens FROM usage WHERE day = ? ORDER BY scope, id';
    return this.#connection.transact('BEGIN', () => this.#connection.prepare(sql).all(day).map(fromUsageRow));
  }

  async addUsage(day: number, used: readonly Usage[]): Promise<void> {
    judge(daySchema, day, 'The day');
    const rows = used.map(toUsage);
    this.#connection.transact('BEGIN IMMEDIATE', () => {
      const add = this.#connection.prepare(
        'INSERT INTO usage VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET tokens = min(tokens + excluded.tokens, 1000000000000000)',
      );
      for (const { scope, id, tokens } of rows) add.run(day, scope, id, tokens);
      this.#connection.prepare('DELETE FROM usage WHERE day < ?').run(day - usageDays);
    });
  }

  async keepClock(at: number): Promise<void> {
    judge(timeSchema, at, 'The time');
    const kept = this.#connection.transact('BEGIN', () => Number(this.#connection.prepare('SELECT clock FROM meta').get()?.['clock']));
    if (kept < at) this.#connection.edit((edit) => edit.writeMeta('clock', Math.max(edit.readMeta('clock'), at)));
  }

  async resetClock(by: string, at: number): Promise<void> {
    judge(timeSchema, at, 'The time');
    this.#connection.change((edit) => {
      edit.writeMeta('clock', at);
      edit.note({ event: 'clock_reset', by, at });
    });
  }

  async listChanges(): Promise<readonly Change[]> {
    return this.#connection.readAll().changes;
  }

  async dropChanges(upTo: number): Promise<void> {
    judge(placeSchema, upTo, 'The place');
    this.#connection.edit((edit) => edit.drop(upTo));
  }

  async addChange(event: AdministrationEvent): Promise<void> {
    this.#connection.change((edit) => edit.note(event));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection[Symbol.dispose]();
  }
}
