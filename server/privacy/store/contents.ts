/**
 * Owns the reading of a whole store, as of one moment. Refuses it whole where one row does not fit.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { AccessKey, Person, Tenant } from '../grants.ts';
import type { Policy, Snapshot, StoredRecord, TrustedKey } from '../store.ts';
import type { Row } from './digest.ts';
import { DamagedError } from './errors.ts';
import { fromKeyRow, fromPersonRow, fromPolicyRow, fromRecordRow, fromTenantRow, fromTrustedKeyRow } from './rows.ts';
import { checkDigest } from './schema.ts';

export interface Contents {
  readonly generation: number;
  readonly clock: number;
  readonly nextTenant: number;
  readonly policy: Policy | undefined;
  readonly trustedKeys: readonly TrustedKey[];
  /** All, in the order in which they were added. */
  readonly records: readonly StoredRecord[];
  readonly tenants: readonly Tenant[];
  readonly keys: readonly AccessKey[];
  readonly people: readonly Person[];
}

/** Everything but usage; called in a transaction. `name` is how a sentence calls the file. */
export function readContents(database: DatabaseSync, name: string): Contents {
  checkDigest(database, name);
  const read = <T>(table: string, order: string, from: (row: Row) => T): T[] => {
    try {
      return database.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).all().map(from);
    } catch {
      throw new DamagedError(name, `a row of ${table} has another form`);
    }
  };
  const [meta] = read('meta', 'one', (row) => ({ generation: Number(row['generation']), clock: Number(row['clock']), nextTenant: Number(row['nextTenant']) }));
  if (meta === undefined) throw new DamagedError(name, 'its first row is missing');
  return {
    ...meta,
    policy: read('policy', 'one', fromPolicyRow)[0],
    trustedKeys: read('trustedKeys', 'addedAt, id', fromTrustedKeyRow),
    records: read('records', 'place', fromRecordRow),
    tenants: read('tenants', 'number', fromTenantRow),
    keys: read('keys', 'createdAt, id', fromKeyRow),
    people: read('people', 'createdAt, id', fromPersonRow),
  };
}

export function toSnapshot({ generation, records, nextTenant: _, ...rest }: Contents): Snapshot {
  return {
    ...rest,
    version: generation,
    agreements: records.filter(({ envelope }) => envelope.type === 'inward.agreement.v1'),
    manifest: records.findLast(({ envelope, revokedAt }) => envelope.type === 'inward.manifest.v1' && revokedAt === undefined),
  };
}
