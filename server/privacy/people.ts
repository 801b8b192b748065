/**
 * Owns who a person is and what he may do: identification by a secret, permissions of roles, separation of duties.
 * Refuses a person who is revoked or expired, roles that nobody has together, and a site without somebody to administer it.
 */
import { isDeepStrictEqual } from 'node:util';
import { SiteError } from './errors.ts';
import type { Credential, Person } from './grants.ts';
import { isSecretOf, parseSecret } from './keys.ts';
import type { Snapshot } from './store.ts';
import { conflictingRoles, type Permission, type Role, rolePermissions, roles } from './words.ts';

export type PersonFlaw = 'no-secret' | 'unknown' | 'revoked' | 'expired';

/** The person whom a secret belongs to, or why it is taken from nobody; `person` is there as far as the secret is right. */
export function findPerson(
  secretText: string,
  people: readonly Person[],
  now: number,
): { readonly person: Person; readonly flaw?: undefined } | { readonly person?: Person; readonly flaw: PersonFlaw } {
  const presented = parseSecret(secretText);
  if (presented?.kind !== 'person') return { flaw: 'no-secret' };
  // Each is compared, so that the time tells nothing about who it was.
  const [person] = people.filter(({ credential }) => isSecretOf(presented, credential));
  if (person === undefined) return { flaw: 'unknown' };
  if (isGone(person)) return { person, flaw: 'revoked' };
  return isExpired(person, now) ? { person, flaw: 'expired' } : { person };
}

/** The person whom a secret belongs to. Throws SiteError. */
export function identify(secretText: string, { people }: Pick<Snapshot, 'people'>, now: number): Person {
  const { person, flaw } = findPerson(secretText, people, now);
  switch (flaw) {
    case undefined:
      return person;
    case 'no-secret':
      throw new SiteError('This is no identity: expected one line that begins with inw_person_, whole and as it was handed out.');
    case 'unknown':
      throw new SiteError(
        'This identity is not one of this site; an admin of the site can make a new one, of a compliance person another one of them (inward person renew).',
      );
    case 'revoked':
      throw new SiteError(`The person ${person?.id} has been revoked; an admin can add the person anew under another id.`);
    case 'expired':
      throw new SiteError(`The identity of ${person?.id} has expired; an admin can add the person anew under another id.`);
  }
}

/** Whether one of a person's roles gives the permission. */
export function may({ roles: held }: Pick<Person, 'roles'>, permission: Permission): boolean {
  return held.some((role) => rolePermissions[role].includes(permission));
}

/** Throws SiteError where a person may not do this. */
export function checkPermission(person: Pick<Person, 'id' | 'roles'>, permission: Permission): void {
  if (may(person, permission)) return;
  const givers = roles.filter((role) => rolePermissions[role].includes(permission));
  throw new SiteError(`${person.id} may not do this: it needs ${permission}, which the role ${givers.join(' or ')} gives; found ${person.roles.join(', ')}.`);
}

/** What it takes to give somebody with these roles an identity: who gives access must not get hold of one that agrees. */
export function permissionFor(roles: readonly Role[]): Permission {
  return roles.includes('compliance') ? 'agreement.write' : 'person.write';
}

/** Throws SiteError for roles that nobody may have together. */
export function checkRoles(wanted: readonly Role[]): void {
  const conflict = findRoleConflict(wanted);
  if (conflict === undefined) return;
  throw new SiteError(`Nobody is ${conflict[0]} and ${conflict[1]} at once (separation of duties): give one of the two roles to somebody else.`);
}

export function findRoleConflict(wanted: readonly Role[]): readonly [Role, Role] | undefined {
  return conflictingRoles.find((pair) => pair.every((role) => wanted.includes(role)));
}

/** Throws SiteError where, without this person, nobody would be left who could administer or who could agree. */
export function checkLeaving(id: string, people: readonly Person[]): void {
  // Commands know people by their identity files only; whose time ends would leave nobody when it does.
  const staying = people.filter((person) => person.id !== id && person.credential.type === 'secret' && !isGone(person) && person.expiresAt === undefined);
  for (const role of ['admin', 'compliance'] as const) {
    const isNeeded = people.some((person) => person.id === id && person.roles.includes(role));
    if (!isNeeded || staying.some((person) => person.roles.includes(role))) continue;
    throw new SiteError(`${id} is the last ${role} with an identity file and without an end, and a site cannot be without one: add another ${role} first.`);
  }
}

/** Whether a person was revoked: always at once, whatever time a clock that was wrong wrote down. */
export function isGone({ revokedAt }: Pick<Person, 'revokedAt'>): boolean {
  return revokedAt !== undefined;
}

/** Whether a revocation is in force; that of a key which is being rotated lies in the future. */
export function isRevoked({ revokedAt }: { readonly revokedAt?: number | undefined }, now: number): boolean {
  return revokedAt !== undefined && revokedAt <= now;
}

export function isExpired({ expiresAt }: { readonly expiresAt?: number | undefined }, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** Throws SiteError where a token or a certificate already stands for somebody: a request must have one holder. */
export function checkUnused(credential: Credential, { keys, people }: Pick<Snapshot, 'keys' | 'people'>): void {
  const isSame = (holder: { readonly credential: Credential; readonly revokedAt?: number | undefined }): boolean =>
    credential.type !== 'secret' && holder.revokedAt === undefined && isDeepStrictEqual(holder.credential, credential);
  const [key, person] = [keys.find(isSame), people.find(isSame)];
  if (key === undefined && person === undefined) return;
  const holder = key === undefined ? `the person ${person?.id}` : `the key ${key.id}`;
  throw new SiteError(`This ${credential.type} already stands for ${holder}: revoke that first, or take another ${credential.type}.`);
}
