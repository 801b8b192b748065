/**
 * Owns steps of changes of the store, each with its event: a key that is added, a record that was, a revocation. Refuses a key of
 * an unknown tenant, and to revoke twice.
 */
import type { AgreementKind } from '../agreement.ts';
import type { AdministrationEvent } from '../audit/events.ts';
import { hashRecord } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import type { AccessKey } from '../grants.ts';
import type { StoredRecord } from '../store.ts';
import type { Row } from './digest.ts';
import type { Edit, TableName } from './edit.ts';
import { judge, revocationSchema, toKeyFields } from './rows.ts';

type RevocableTable = Extract<TableName, 'records' | 'keys' | 'people'>;

export function insertKey(edit: Edit, key: AccessKey): void {
  const fields = toKeyFields(key);
  const { id, tenant, data, isSealed, replaces, createdBy: by, createdAt: at } = key;
  edit.get('tenants', tenant);
  if (replaces !== undefined) edit.get('keys', replaces);
  edit.insert('keys', fields);
  edit.note({ event: 'key_created', key: id, tenant, data, sealed: isSealed || undefined, replaces, by, at });
}

export function noteRecord(edit: Edit, { envelope, addedBy: by, addedAt: at }: StoredRecord): void {
  const { id, kind } = envelope.record;
  const record = hashRecord(envelope);
  if (envelope.type === 'inward.manifest.v1') edit.note({ event: 'manifest_added', manifest: String(id), record, by, at });
  else edit.note({ event: 'agreement_added', agreement: String(id), kind: kind as AgreementKind, record, by, at });
}

/** As of `from`: one that lies in the future can still be made earlier, since a key that is being replaced may leak. */
export function revoke(edit: Edit, table: RevocableTable, id: string, by: string, from: number, at: number = from): void {
  judge(revocationSchema, { by, at: from }, 'The revocation');
  const { revokedAt, revokedBy } = edit.get(table, id);
  const word = table === 'records' ? 'agreement' : table === 'keys' ? 'key' : 'person';
  if (typeof revokedAt === 'number' && revokedAt <= from) throw new SiteError(describeRevoked(word, id, revokedAt, revokedBy));
  edit.update(table, id, { revokedAt: from, revokedBy: by });
  const events: Readonly<Record<RevocableTable, AdministrationEvent>> = {
    records: { event: 'agreement_revoked', agreement: id, by, at },
    keys: { event: 'key_revoked', key: id, from, by, at },
    people: { event: 'person_revoked', person: id, by, at },
  };
  edit.note(events[table]);
}

export function describeRevoked(word: string, id: string, at: number, by: Row[string] | undefined): string {
  return `The ${word} ${id} has been revoked already, as of ${new Date(at).toISOString()} by ${by}.`;
}
