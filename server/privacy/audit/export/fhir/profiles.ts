/**
 * Owns which profile of IHE BALP (1.1.4) a resource claims to follow: one that it meets whole, patterns, least counts and forbidden
 * elements alike. Refuses one whose elements are there by chance and mean something else (docs/audit.md goes through all of them).
 */
import type { AuditRecord, EventName } from '../../events.ts';

const tokenUse = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.OAUTHaccessTokenUse.Minimal';

/** What an event follows where the id of the token is known that came with the request. No profile is for any other event of ours. */
const tokenProfiles: Readonly<Partial<Record<EventName, string>>> = { intent: tokenUse, auth_failed: tokenUse, denied: tokenUse };

/** By the profile the id of a token stands as the policy of its user, as this URI. */
export function nameToken(id: string): string {
  return `urn:ietf:params:oauth:jti:${id}`;
}

/** Id of the identity provider's token that a request came with. */
export function findToken(record: AuditRecord): string | undefined {
  return 'token' in record ? record.token : undefined;
}

/** Canonical URL; undefined: base AuditEvent. */
export function findProfile(record: AuditRecord): string | undefined {
  return findToken(record) === undefined ? undefined : tokenProfiles[record.event];
}
