/**
 * Owns the reading of a whole store, as of one moment. Refuses it whole where one row does not fit.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { AccessKey, Person, Tenant } from '../grants.ts';
import type { Change, Policy, Snapshot, StoredRecord, TrustedKey } from '../store.ts';
import { fromChangeRow } from './changes.ts';
import { Digest, type Row } from './digest.ts';
import { DamagedError } from './errors.ts';
import { fromKeyRow, fromMetaRow, fromPersonRow, fromPolicyRow, fromRecordRow, fromTenantRow, fromTrustedKeyRow } from './rows.ts';

export interface Contents {
  readonly generation: number;
  readonly clock: number;
  readonly nextTenant: number;
  /** The number of the next change; it is never below one that was used. */
  readonly nextChange: number;
  /** Tells a site from another one of the same code; from when its policy was first set. */
  readonly siteId: string | undefined;
  readonly policy: Policy | undefined;
  readonly trustedKeys: readonly TrustedKey[];
  /** All, in the order in which they were added. */
  readonly records: readonly StoredRecord[];
  readonly tenants: readonly Tenant[];
  readonly keys: readonly AccessKey[];
  readonly people: readonly Person[];
  /** What no audit log has taken yet, in order. */
  readonly changes: readonly Change[];
}

/** What rows were found to be, by their hashes: most of a store is as it was when it is loaded again. */
export type Judged = Map<string, unknown>;

/** Everything but usage; called in a transaction. `name` is how a sentence calls the file. */
export function readContents(database: DatabaseSync, name: string, judged: Judged = new Map()): Contents {
  const digest = new Digest();
  const before = new Map(judged);
  judged.clear();
  const read = <T>(table: string, order: string, from: (row: Row) => T): T[] => {
    const rows = database.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).all();
    return rows.map((row) => {
      const hash = digest.toggle(table, row);
      // The hash is over the name of the table, too.
      const value = (before.get(hash) as T | undefined) ?? judge(name, table, () => from(row));
      judged.set(hash, value);
      return value;
    });
  };
  const meta = database.prepare('SELECT * FROM meta').get();
  if (meta === undefined) throw new DamagedError(name, 'its first row is missing');
  digest.toggle('meta', meta);
  // Judged each time: its hash does not tell one digest from another.
  const { digest: expected, siteId, ...numbers } = judge(name, 'meta', () => fromMetaRow(meta));
  const contents = {
    ...numbers,
    siteId,
    policy: read('policy', 'one', fromPolicyRow)[0],
    trustedKeys: read('trustedKeys', 'addedAt, id', fromTrustedKeyRow),
    records: read('records', 'place', fromRecordRow),
    tenants: read('tenants', 'number', fromTenantRow),
    keys: read('keys', 'createdAt, id', fromKeyRow),
    people: read('people', 'createdAt, id', fromPersonRow),
    changes: read('changes', 'place', fromChangeRow),
  };
  if (digest.toString() !== expected) throw new DamagedError(name, 'its rows do not fit its digest');
  return contents;
}

function judge<T>(name: string, table: string, from: () => T): T {
  try {
    return from();
  } catch {
    throw new DamagedError(name, `a row of ${table} has another form`);
  }
}

export function toSnapshot({ generation, records, nextTenant: _, nextChange: __, siteId: ___, changes: ____, ...rest }: Contents): Snapshot {
  return {
    ...rest,
    version: generation,
    agreements: records.filter(({ envelope }) => envelope.type === 'inward.agreement.v1'),
    manifest: records.findLast(({ envelope, revokedAt }) => envelope.type === 'inward.manifest.v1' && revokedAt === undefined),
  };
}
