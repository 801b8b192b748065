/**
 * Owns the interface of the store: what the gate reads, and what administration writes. Every write is one transaction that
 * either happens whole or not at all, and leaves its event for the audit trail with it. An embedded database is behind it
 * (store/sqlite.ts); a shared one can be. Refuses to hold anything about the content of a request: counts of tokens are all that requests leave here.
 */
import type { AdministrationEvent } from './audit/events.ts';
import type { Envelope } from './envelope.ts';
import type { AccessKey, Credential, Person, Tenant } from './grants.ts';

/** A signed record as it was added, in its canonical form. */
export interface StoredRecord {
  readonly envelope: Envelope;
  readonly addedAt: number;
  readonly addedBy: string;
  readonly revokedAt?: number | undefined;
  readonly revokedBy?: string | undefined;
}

/** A public key whose signature counts. */
export interface TrustedKey {
  /** `ck-` and the beginning of its hash. */
  readonly id: string;
  /** SPKI in PEM. */
  readonly pem: string;
  readonly addedAt: number;
  readonly addedBy: string;
}

/** What the whole site keeps to. */
export interface Policy {
  /** Code of the site. */
  readonly site: string;
  readonly region: string;
  /** Signatures of different trusted keys that an agreement or a manifest needs. */
  readonly signatures: 1 | 2;
}

/** Everything that decisions are made from, as of one moment. */
export interface Snapshot {
  readonly version: number;
  /** Undefined: the site has not been set up (an evaluation needs no more). */
  readonly policy: Policy | undefined;
  readonly trustedKeys: readonly TrustedKey[];
  readonly agreements: readonly StoredRecord[];
  /** The one in force: the latest that was added and is not revoked. */
  readonly manifest: StoredRecord | undefined;
  readonly tenants: readonly Tenant[];
  readonly keys: readonly AccessKey[];
  readonly people: readonly Person[];
  /** The latest time that a server of this site has seen, in ms of the epoch; 0: none has. */
  readonly clock: number;
}

/** The event of a change that no audit log has taken yet. */
export interface Change {
  /** Number of the change; in order, and never used twice. It becomes `change` of the record, which the event has not here. */
  readonly place: number;
  readonly event: AdministrationEvent;
}

/** Tokens that a key or tenant has used on a day. */
export interface Usage {
  readonly scope: 'key' | 'tenant';
  readonly id: string;
  readonly tokens: number;
}

/**
 * All throw SiteError where a rule of the store would break (an id that is there already, one that is not), and nothing is changed then.
 * `version`: of the snapshot that the change was judged by; it is refused where the store has changed since. `by` and `at`: the
 * person who makes the change, and when, in ms of the epoch. What changes anything but usage and the clock that goes on leaves
 * its event in `listChanges`, by the same transaction. Where no audit log takes them and very many have gathered, changes are
 * refused, but never one that closes something.
 */
export interface Store extends AsyncDisposable {
  /**
   * Changes with every write, also by another process, but for usage and a clock that goes on, which grant nothing; cheap
   * enough for every request. Throws SiteError when the store can no longer be read.
   */
  version(): number;
  load(): Promise<Snapshot>;
  setPolicy(policy: Policy, by: string, at: number): Promise<void>;
  addTrustedKey(key: TrustedKey, version?: number): Promise<void>;
  /** `type` and id come from the envelope. An agreement that another one supersedes stays and ends where that one begins. */
  addRecord(record: StoredRecord, version?: number): Promise<void>;
  revokeAgreement(id: string, by: string, at: number): Promise<void>;
  addTenant(tenant: Omit<Tenant, 'number'>, by: string, at: number): Promise<Tenant>;
  setTenantQuota(tenant: Omit<Tenant, 'number'>, by: string, at: number): Promise<void>;
  addKey(key: AccessKey, version?: number): Promise<void>;
  revokeKey(id: string, by: string, at: number): Promise<void>;
  /** The new one is added and the old one revoked at `at` (it may lie in the future: a rotation with overlap), both or neither. */
  replaceKey(key: AccessKey, by: string, at: number): Promise<void>;
  /** First use of a break-glass key; gives the time of the first use, which another process may have been earlier with. */
  openKey(id: string, at: number): Promise<number>;
  addPerson(person: Person, version?: number): Promise<void>;
  setPersonCredential(id: string, credential: Credential, by: string, at: number): Promise<void>;
  revokePerson(id: string, by: string, at: number, version?: number): Promise<void>;
  /** Usage of a day of UTC, given as days of the epoch. Older days are dropped as new ones come. */
  readUsage(day: number): Promise<readonly Usage[]>;
  addUsage(day: number, used: readonly Usage[]): Promise<void>;
  /** Keeps the later of the times. */
  keepClock(at: number): Promise<void>;
  /** Puts the clock back to `at` after a step of the system's clock that was an error. */
  resetClock(by: string, at: number): Promise<void>;
  /** What no audit log has yet, in order. */
  listChanges(): Promise<readonly Change[]>;
  /** Forgets changes up to and with this place: an audit log has them on its disk. Does not change `version`. */
  dropChanges(upTo: number): Promise<void>;
  /** Leaves an event of what changes nothing else (an export, a verification). */
  addChange(event: AdministrationEvent): Promise<void>;
}
