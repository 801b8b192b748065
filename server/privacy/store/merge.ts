/**
 * Owns what a store holds after a restore: the keys, people and tenants of the backup, with everything that was closed since.
 * Refuses a backup of another site, and to open again what the present store has closed: revocations, replaced credentials,
 * break-glass keys that were used, the clock, agreements that others superseded, the rule of two signatures.
 */
import { hashRecord } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import type { AccessKey, Person, Tenant } from '../grants.ts';
import type { StoredRecord } from '../store.ts';
import type { Contents } from './contents.ts';

interface Closable {
  readonly revokedAt?: number | undefined;
  readonly revokedBy?: string | undefined;
}

/** What the present store goes on with after the backup has been restored into it. */
export function mergeContents(present: Contents, backup: Contents): Contents {
  const site = present.policy?.site;
  if (site !== undefined && backup.policy !== undefined && site !== backup.policy.site) {
    throw new SiteError(`The backup is of the site ${backup.policy.site}, and this store is of ${site}: a store is restored from its own backups only.`);
  }
  return {
    generation: Math.max(present.generation, backup.generation),
    clock: Math.max(present.clock, backup.clock),
    policy: present.policy ?? backup.policy,
    trustedKeys: join(backup.trustedKeys, present.trustedKeys),
    records: mergeRecords(present.records, backup.records),
    ...mergeTenants(present, backup),
    keys: mergeEach(present.keys, backup.keys, mergeKey),
    // The credential of the backup may be one that was replaced since, because it was lost.
    people: mergeEach(present.people, backup.people, (now, before): Person => ({ ...close(before, now), credential: now.credential })),
  };
}

/** Signed records are kept all: one of today may have ended one of the backup. */
function mergeRecords(present: readonly StoredRecord[], backup: readonly StoredRecord[]): StoredRecord[] {
  const idOf = ({ envelope }: StoredRecord): string => String(envelope.record['id']);
  const known = new Map(present.map((record) => [idOf(record), record]));
  const merged = backup.map((record) => {
    const now = known.get(idOf(record));
    if (now === undefined) return record;
    if (hashRecord(now.envelope) !== hashRecord(record.envelope)) {
      throw new SiteError(`The record ${idOf(record)} of the backup is another one than that of this store: restore into a new store.`);
    }
    known.delete(idOf(record));
    return close(record, now);
  });
  return [...merged, ...known.values()];
}

/** A number that the engine has known a tenant by never becomes that of another one. */
function mergeTenants(present: Contents, backup: Contents): Pick<Contents, 'tenants' | 'nextTenant'> {
  const numbers = new Map(present.tenants.map(({ code, number }) => [code, number]));
  let nextTenant = Math.max(present.nextTenant, backup.nextTenant);
  const tenants = backup.tenants.map((tenant): Tenant => {
    const isFree = tenant.number >= present.nextTenant;
    return { ...tenant, number: numbers.get(tenant.code) ?? (isFree ? tenant.number : nextTenant++) };
  });
  return { tenants, nextTenant };
}

function mergeKey(now: AccessKey, before: AccessKey): AccessKey {
  const openedAt = Math.min(now.openedAt ?? Number.POSITIVE_INFINITY, before.openedAt ?? Number.POSITIVE_INFINITY);
  return { ...close(before, now), openedAt: Number.isFinite(openedAt) ? openedAt : undefined };
}

function mergeEach<T extends { readonly id: string }>(present: readonly T[], backup: readonly T[], merge: (now: T, before: T) => T): T[] {
  const known = new Map(present.map((one) => [one.id, one]));
  return backup.map((before) => {
    const now = known.get(before.id);
    return now === undefined ? before : merge(now, before);
  });
}

function join<T extends { readonly id: string }>(first: readonly T[], second: readonly T[]): T[] {
  return [...new Map([...second, ...first].map((one) => [one.id, one])).values()];
}

/** The earlier one of two revocations counts. */
function close<T extends Closable>(one: T, other: Closable): T {
  if (other.revokedAt === undefined || (one.revokedAt !== undefined && one.revokedAt <= other.revokedAt)) return one;
  return { ...one, revokedAt: other.revokedAt, revokedBy: other.revokedBy };
}
