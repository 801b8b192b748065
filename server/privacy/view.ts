/**
 * Owns a snapshot of the store as decisions need it: indexed, every record verified again, scopes made into checks.
 * Refuses a snapshot with a record whose signatures do not hold: a store that was tampered with opens nothing.
 */

import { type Manifest, readManifest } from './deployment/manifest.ts';
import { hashRecord, verifyEnvelope } from './envelope.ts';
import type { AccessKey, Credential, Person, Tenant } from './grants.ts';
import { isWithin } from './hours.ts';
import { createNetworkCheck } from './networks.ts';
import type { Snapshot, StoredRecord } from './store.ts';
import { listTerms, type Term } from './term.ts';

export interface KnownManifest {
  readonly manifest: Manifest;
  readonly hash: string;
}

export interface View {
  readonly snapshot: Snapshot;
  readonly region: string;
  readonly agreements: readonly Term[];
  readonly manifest: KnownManifest | undefined;
  readonly keys: ReadonlyMap<string, AccessKey>;
  readonly people: ReadonlyMap<string, Person>;
  readonly tenants: ReadonlyMap<string, Tenant>;
  /** Holders that come without a secret of ours: by token or certificate. */
  findHolder(credential: Exclude<Credential, { type: 'secret' }>): AccessKey | Person | undefined;
  isFromNetwork(key: AccessKey, address: string): boolean;
  isAtHour(key: AccessKey, now: number): boolean;
}

/** Region of a site that has not been set up: an evaluation on one machine. */
export const evaluationRegion = 'local';

/** Throws SiteError. */
export function createView(snapshot: Snapshot): View {
  const { keys, people, tenants, policy } = snapshot;
  const trusted = new Map(snapshot.trustedKeys.map(({ id, pem }) => [id, pem]));
  const needed = policy?.signatures ?? 1;
  // One that was revoked can only close, whoever signed it: that of an evaluation has one signature, also where two are needed since.
  for (const { envelope, revokedAt } of snapshot.agreements)
    if (revokedAt === undefined) verifyEnvelope(envelope, trusted, needed, 'An agreement in the store');
  const holders = new Map<string, AccessKey | Person>();
  for (const holder of [...keys, ...people]) {
    // A holder who was revoked does not stand in the way of the one who came after.
    const name = nameCredential(holder.credential);
    if (name !== undefined && (holder.revokedAt === undefined || !holders.has(name))) holders.set(name, holder);
  }
  const networks = new Map<string, (address: string) => boolean>();
  return {
    snapshot,
    region: policy?.region ?? evaluationRegion,
    agreements: listTerms(snapshot.agreements),
    manifest: snapshot.manifest && verifyManifest(snapshot.manifest, trusted, needed),
    keys: new Map(keys.map((key) => [key.id, key])),
    people: new Map(people.map((person) => [person.id, person])),
    tenants: new Map(tenants.map((tenant) => [tenant.code, tenant])),
    findHolder: (credential) => holders.get(nameCredential(credential) ?? ''),
    isFromNetwork: ({ id, scopes }, address) => {
      if (scopes.networks.length === 0) return true;
      let check = networks.get(id);
      if (check === undefined) networks.set(id, (check = createNetworkCheck(scopes.networks)));
      return check(address);
    },
    isAtHour: ({ scopes }, now) => scopes.hours === undefined || isWithin(scopes.hours, now),
  };
}

function verifyManifest({ envelope }: StoredRecord, trusted: ReadonlyMap<string, string>, needed: number): KnownManifest {
  verifyEnvelope(envelope, trusted, needed, 'The manifest in the store');
  return { manifest: readManifest(envelope), hash: hashRecord(envelope) };
}

/** One text for each credential that is no secret; claims have no blanks. */
function nameCredential(credential: Credential): string | undefined {
  if (credential.type === 'token') return `token ${credential.issuer} ${credential.subject}`;
  return credential.type === 'certificate' ? `certificate ${credential.fingerprint}` : undefined;
}
