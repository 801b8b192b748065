/**
 * Owns what a store holds after a restore: the keys, people and tenants of the backup, with everything that was closed since.
 * What came after the backup stays and is revoked, so that no later restore can revive it. Agreements, trusted keys and compliance
 * people of a site stay as they are: they are no admin's business. Events that no audit log has are kept, and none that was taken
 * comes back. Refuses a backup of another site, and to open again what the
 * present store has closed: revocations, replaced credentials, break-glass keys that were used, the clock, superseded agreements.
 */

import type { AdministrationEvent } from '../audit/events.ts';
import { hashRecord } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import type { AccessKey, Person, Tenant } from '../grants.ts';
import type { Change, StoredRecord } from '../store.ts';
import type { Contents } from './contents.ts';

/** Who restores, and when. */
export interface Restorer {
  readonly by: string;
  readonly at: number;
}

interface Closable {
  readonly revokedAt?: number | undefined;
  readonly revokedBy?: string | undefined;
}

interface Holder extends Closable {
  readonly id: string;
  readonly createdAt: number;
}

/** What the present store goes on with after the backup has been restored into it. Throws SiteError. */
export function mergeContents(present: Contents, backup: Contents, restorer: Restorer): Contents {
  const { by, at } = restorer;
  const isSite = present.policy !== undefined;
  if (isSite) checkSameSite(present, backup);
  else checkNoEvaluation(present, at);
  const clock = Math.max(present.clock, backup.clock);
  // Later than what the site has seen it could lie ahead, where this machine's clock does.
  const revoke = <T extends Holder>(one: T): T => close(one, { revokedAt: Math.min(at, Math.max(clock, one.createdAt)), revokedBy: by });
  const records = mergeRecords(present.records, backup.records);
  return {
    generation: Math.max(present.generation, backup.generation),
    clock,
    ...mergeTenants(present, backup),
    ...mergeChanges(present, backup, at),
    ...(isSite
      ? { siteId: present.siteId, policy: present.policy, trustedKeys: present.trustedKeys, records: records.slice(0, present.records.length) }
      : { siteId: backup.siteId, policy: backup.policy, trustedKeys: backup.trustedKeys, records }),
    keys: mergeHolders(present.keys, backup.keys, isSite, { merge: mergeKey, judgeLate: revoke, isTaken: () => true }),
    people: mergeHolders(present.people, backup.people, isSite, {
      merge: close,
      // Whoever restores is an admin here, and may be the last one.
      judgeLate: (person) => (isSite && (person.id === by || isCompliance(person)) ? person : revoke(person)),
      isTaken: (person) => !isSite || !isCompliance(person),
    }),
  };
}

function checkSameSite(present: Contents, backup: Contents): void {
  if (present.siteId !== undefined && present.siteId === backup.siteId) return;
  const other = backup.policy === undefined ? 'no site' : `another site, ${backup.policy.site}`;
  throw new SiteError(
    `The backup is of ${other}, and this store is of ${present.policy?.site}: a store is restored from its own backups only; restore it into a new folder (--site).`,
  );
}

/** Where no site has been set up, only a first look has left something; it would go on beside PHI. */
function checkNoEvaluation({ records, keys }: Contents, at: number): void {
  const isLive = ({ revokedAt }: Closable): boolean => revokedAt === undefined || revokedAt > at;
  const isSynthetic = records.some((record) => record.envelope.record['kind'] === 'synthetic' && isLive(record));
  if (!isSynthetic && !keys.some((key) => key.data === 'synthetic' && isLive(key))) return;
  throw new SiteError('This folder holds an evaluation, which cannot go on beside a site: restore the backup into another folder (--site).');
}

/** Those of the store in their order, then what only the backup has. Signed records are kept all: one of today may have ended one before. */
function mergeRecords(present: readonly StoredRecord[], backup: readonly StoredRecord[]): StoredRecord[] {
  const old = new Map(backup.map((record) => [idOf(record), record]));
  const merged = present.map((now) => {
    const before = old.get(idOf(now));
    if (before === undefined) return now;
    if (hashRecord(now.envelope) !== hashRecord(before.envelope)) {
      throw new SiteError(`The record ${idOf(now)} of the backup is another one than that of this store: restore into a new store.`);
    }
    old.delete(idOf(now));
    return close(now, before);
  });
  return [...merged, ...old.values()];
}

function idOf({ envelope }: StoredRecord): string {
  return String(envelope.record['id']);
}

/** A number that the engine has known a tenant by never becomes that of another one. */
function mergeTenants(present: Contents, backup: Contents): Pick<Contents, 'tenants' | 'nextTenant'> {
  const known = new Map(present.tenants.map((tenant) => [tenant.code, tenant]));
  let nextTenant = Math.max(present.nextTenant, backup.nextTenant);
  const tenants = backup.tenants.map((tenant): Tenant => {
    const isFree = tenant.number >= present.nextTenant;
    const number = known.get(tenant.code)?.number ?? (isFree ? tenant.number : nextTenant++);
    known.delete(tenant.code);
    return { ...tenant, number };
  });
  // Revoked keys name the tenants that came later; a tenant by itself grants nothing.
  return { tenants: [...tenants, ...known.values()], nextTenant };
}

/** That the store was restored, and what was closed by that. */
export function listRestoreEvents(present: Contents, merged: Contents, { by, at }: Restorer): AdministrationEvent[] {
  const listClosed = <T extends Closable>(
    were: readonly T[],
    are: readonly T[],
    nameOf: (one: T) => string,
  ): { readonly id: string; readonly from: number }[] => {
    const open = new Set(were.filter(({ revokedAt }) => revokedAt === undefined).map(nameOf));
    return are.flatMap((one) => (open.has(nameOf(one)) && one.revokedAt !== undefined ? { id: nameOf(one), from: one.revokedAt } : []));
  };
  const closed = {
    keys: listClosed(present.keys, merged.keys, ({ id }) => id),
    people: listClosed(present.people, merged.people, ({ id }) => id),
    agreements: listClosed(present.records, merged.records, idOf),
  };
  return [
    { event: 'store_restored', by, at },
    ...closed.keys.map(({ id, from }): AdministrationEvent => ({ event: 'key_revoked', key: id, from, by, at })),
    ...closed.people.map(({ id }): AdministrationEvent => ({ event: 'person_revoked', person: id, by, at })),
    ...closed.agreements.map(({ id }): AdministrationEvent => ({ event: 'agreement_revoked', agreement: id, by, at })),
  ];
}

/** Those of a site's own backup are here still, or in an audit log. What comes to where no site was set up may be in none. */
function mergeChanges(present: Contents, backup: Contents, at: number): Pick<Contents, 'changes' | 'nextChange'> {
  const nextChange = Math.max(present.nextChange, backup.nextChange);
  if (present.policy !== undefined) return { changes: present.changes, nextChange };
  let next = skipPlaces(nextChange, at);
  const others = backup.changes.map((change): Change => (change.place >= present.nextChange ? change : { ...change, place: next++ }));
  return { changes: [...present.changes, ...others], nextChange: next };
}

/** The next number where nobody knows how far a lost store had counted: none makes a change in every millisecond since 1970. */
export function skipPlaces(next: number, at: number): number {
  return Math.max(next, at);
}

interface HolderRules<T> {
  merge(one: T, other: T): T;
  /** What becomes of one that came after the backup. */
  judgeLate(one: T): T;
  /** Whether one that only the backup has is taken. */
  isTaken(one: T): boolean;
}

/** None of the present ones is left out: an id that was forgotten could come back, or be given to somebody else. */
function mergeHolders<T extends Holder>(present: readonly T[], backup: readonly T[], isSite: boolean, rules: HolderRules<T>): T[] {
  const old = new Map(backup.map((one) => [one.id, one]));
  const merged = present.map((now) => {
    const before = old.get(now.id);
    old.delete(now.id);
    if (before === undefined) return rules.judgeLate(now);
    // A site's own credential may be one that has replaced a lost one; where no site was set up, anybody could have left it.
    return isSite ? rules.merge(now, before) : rules.merge(before, now);
  });
  return [...merged, ...[...old.values()].filter(rules.isTaken)];
}

function mergeKey(one: AccessKey, other: AccessKey): AccessKey {
  const openedAt = Math.min(one.openedAt ?? Number.POSITIVE_INFINITY, other.openedAt ?? Number.POSITIVE_INFINITY);
  return { ...close(one, other), openedAt: Number.isFinite(openedAt) ? openedAt : undefined };
}

function isCompliance({ roles }: Person): boolean {
  return roles.includes('compliance');
}

/** The earlier one of two revocations counts. */
function close<T extends Closable>(one: T, other: Closable): T {
  if (other.revokedAt === undefined || (one.revokedAt !== undefined && one.revokedAt <= other.revokedAt)) return one;
  return { ...one, revokedAt: other.revokedAt, revokedBy: other.revokedBy };
}
