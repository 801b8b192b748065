/**
 * Owns the review of access: everybody and everything that was granted something, by whom and until when, with what a reviewer
 * should look at. Refuses to show salts and hashes.
 */
import type { AccessKey, Credential, Person } from './grants.ts';
import { formatHours } from './hours.ts';
import { findRoleConflict, isExpired, isGone, isRevoked } from './people.ts';
import { judgeKey, type KeyState } from './states.ts';
import type { Snapshot, TrustedKey } from './store.ts';

/** What is worth a look, and why. */
export const findings = {
  'expired-not-revoked': 'has expired and was never revoked',
  'no-expiry': 'has no end',
  'late-expiry': 'ends more than a year after it was made',
  'older-than-a-year': 'is older than a year: rotate it',
  'sealed-unused': 'was never used: see that its envelope is whole',
  'break-glass-used': 'was used: see why, and seal a new one',
  'no-network-limit': 'is taken from every network',
  'every-model': 'may use every model',
  'no-token-limit': 'has no limit of tokens, and its tenant has none',
  'roles-in-conflict': 'has roles that nobody has together',
} as const;
export type Finding = keyof typeof findings;

interface Granted {
  readonly id: string;
  readonly knownBy: Credential['type'];
  /** Issuer and subject of the token. */
  readonly token?: string;
  /** ISO 8601, as all times here. */
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
  readonly revokedBy?: string;
}

export interface KeyEntry extends Granted {
  readonly label: string;
  readonly tenant: string;
  readonly data: AccessKey['data'];
  readonly isSealed: boolean;
  readonly state: KeyState;
  /** As the key has them, with the hours as text. */
  readonly scopes: Omit<AccessKey['scopes'], 'hours'> & { readonly hours?: string };
  readonly openedAt?: string;
  readonly replaces?: string;
}

export interface PersonEntry extends Granted {
  readonly roles: Person['roles'];
  readonly state: 'valid' | 'expired' | 'revoked';
}

export type Found<T> = T & { readonly findings: readonly Finding[] };

export interface Review {
  readonly at: string;
  readonly site: string | undefined;
  readonly region: string | undefined;
  readonly people: readonly Found<PersonEntry>[];
  readonly keys: readonly Found<KeyEntry>[];
  readonly trustedKeys: readonly { readonly id: string; readonly addedAt: string; readonly addedBy: string }[];
}

const yearMs = 365 * 86_400_000;

/** The review as of `now`. */
export function createReview(snapshot: Snapshot, now: number): Review {
  const { policy, people, keys, trustedKeys } = snapshot;
  return {
    at: formatTime(now),
    site: policy?.site,
    region: policy?.region,
    people: people.map((person) => ({ ...describePerson(person, now), findings: reviewPerson(person, now) })),
    keys: keys.map((key) => ({ ...describeKey(key, now), findings: reviewKey(key, snapshot, now) })),
    trustedKeys: trustedKeys.map(({ id, addedAt, addedBy }: TrustedKey) => ({ id, addedAt: formatTime(addedAt), addedBy })),
  };
}

/** A key as people and programs may see it. */
export function describeKey(key: AccessKey, now: number): KeyEntry {
  const { label, tenant, data, isSealed, openedAt, replaces } = key;
  const { hours, ...scopes } = key.scopes;
  return {
    ...describeGranted(key),
    ...{ label, tenant, data, isSealed, state: judgeKey(key, now) },
    scopes: { ...scopes, ...(hours === undefined ? {} : { hours: formatHours(hours) }) },
    ...(openedAt === undefined ? {} : { openedAt: formatTime(openedAt) }),
    ...(replaces === undefined ? {} : { replaces }),
  };
}

/** A person as people and programs may see him. */
export function describePerson(person: Person, now: number): PersonEntry {
  const state = isGone(person) ? 'revoked' : isExpired(person, now) ? 'expired' : 'valid';
  return { ...describeGranted(person), roles: person.roles, state };
}

function describeGranted({ id, credential, createdAt, createdBy, expiresAt, revokedAt, revokedBy }: AccessKey | Person): Granted {
  return {
    ...{ id, knownBy: credential.type, createdAt: formatTime(createdAt), createdBy },
    ...(credential.type === 'token' ? { token: `${credential.issuer} ${credential.subject}` } : {}),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) }),
    ...(revokedAt === undefined ? {} : { revokedAt: formatTime(revokedAt) }),
    ...(revokedBy === undefined ? {} : { revokedBy }),
  };
}

/** Of what is revoked nothing is left to look at. */
function reviewPerson(person: Person, now: number): Finding[] {
  if (isGone(person)) return [];
  const { roles } = person;
  return pick({ 'expired-not-revoked': isExpired(person, now), 'roles-in-conflict': findRoleConflict(roles) !== undefined });
}

function reviewKey(key: AccessKey, { tenants }: Pick<Snapshot, 'tenants'>, now: number): Finding[] {
  if (isRevoked(key, now)) return [];
  const { scopes, createdAt, expiresAt, isSealed, openedAt } = key;
  const tenant = tenants.find(({ code }) => code === key.tenant);
  const limits = [scopes.tokensPerDay, scopes.tokensPerMinute, tenant?.tokensPerDay, tenant?.tokensPerMinute];
  const isExpiredNow = isExpired(key, now);
  // Nothing of a break-glass key binds but routes and models.
  const isOpen = key.data === 'phi' && !isSealed && !isExpiredNow;
  return pick({
    'expired-not-revoked': isExpiredNow,
    'no-expiry': expiresAt === undefined,
    'late-expiry': expiresAt !== undefined && expiresAt - createdAt > yearMs,
    'older-than-a-year': !isExpiredNow && now - createdAt > yearMs,
    'sealed-unused': isSealed && openedAt === undefined && !isExpiredNow,
    'break-glass-used': openedAt !== undefined,
    'no-network-limit': isOpen && scopes.networks.length === 0,
    'every-model': isOpen && scopes.models.length === 0,
    'no-token-limit': isOpen && limits.every((limit) => limit === undefined),
  });
}

function pick(found: Partial<Record<Finding, boolean>>): Finding[] {
  return (Object.keys(found) as Finding[]).filter((name) => found[name]);
}

function formatTime(time: number): string {
  return new Date(time).toISOString();
}
