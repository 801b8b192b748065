/**
 * Owns what an agreement must keep to when it is added to a site: signatures that count, the site's region, one agreement at a
 * time for a department that is there, and nothing synthetic beside PHI. Refuses with the first rule that is broken, and says what to do.
 */
import { type Agreement, beginOf, endOf } from './agreement.ts';
import { dayMs } from './clock.ts';
import { type Envelope, verifyEnvelope } from './envelope.ts';
import { SiteError } from './errors.ts';
import type { Policy, Snapshot } from './store.ts';
import { listTerms, type Term } from './term.ts';

/** Checks that an agreement may be added. `now` in ms of the epoch. Throws SiteError. */
export function checkAddition(agreement: Agreement, envelope: Envelope, snapshot: Snapshot, now: number): void {
  const trusted = new Map(snapshot.trustedKeys.map(({ id, pem }) => [id, pem]));
  verifyEnvelope(envelope, trusted, snapshot.policy?.signatures ?? 1, `The agreement ${agreement.id}`);
  const terms = listTerms(snapshot.agreements);
  if (terms.some((term) => term.agreement.id === agreement.id)) {
    throw new SiteError(`There is an agreement ${agreement.id} already, and one that was revoked stays: give the new one another id.`);
  }
  if (!(now < endOf(agreement))) {
    throw new SiteError(`The agreement ${agreement.id} has ended (${new Date(endOf(agreement)).toISOString()}): expected one that can be in force.`);
  }
  checkPolicy(agreement, snapshot.policy);
  checkTenants(agreement, snapshot);
  checkSignatories(agreement, now);
  const live = terms.filter(({ stored }) => stored.revokedAt === undefined);
  checkSuccession(agreement, live);
  checkData(agreement, live, snapshot, now);
  checkOverlap(agreement, live);
}

function checkPolicy({ id, kind, regions }: Agreement, policy: Policy | undefined): void {
  if (policy === undefined) {
    if (kind === 'synthetic') return;
    throw new SiteError(`The agreement ${id} is ${kind}, and this site has no region yet: set it up first (inward site init).`);
  }
  if (!regions.includes(policy.region)) {
    throw new SiteError(`The agreement ${id} is for ${regions.join(', ')}, and this site is in ${policy.region}: it must name that region.`);
  }
}

/** A department that is mistyped would be under no agreement. */
function checkTenants({ id, tenants: wanted }: Agreement, { tenants }: Snapshot): void {
  const unknown = wanted.filter((code) => !tenants.some((tenant) => tenant.code === code));
  if (unknown.length === 0) return;
  throw new SiteError(
    `The agreement ${id} is for departments that this site does not have (${unknown.join(', ')}): add them first (inward tenant add), or choose others.`,
  );
}

function checkSignatories({ id, signatories }: Agreement, now: number): void {
  // Somewhere it is already the next day.
  const latest = new Date(now + dayMs).toISOString().slice(0, 10);
  if (signatories.every(({ date }) => date <= latest)) return;
  throw new SiteError(`The agreement ${id} names a signatory who signs after today: expected a document that has been signed; add it when it is.`);
}

/** Taking the place of another one must not end what was agreed with somebody else, or for others, or in the past. */
function checkSuccession({ supersedes, ...agreement }: Agreement, live: readonly Term[]): void {
  if (supersedes === undefined) return;
  const refuse = (found: string, expected: string): SiteError =>
    new SiteError(`The agreement ${agreement.id} supersedes ${supersedes}, which ${found}: expected one ${expected} (inward agreement show).`);
  const before = live.find((term) => term.agreement.id === supersedes);
  if (before === undefined) throw refuse('is not here or was revoked', 'that can be superseded');
  const { coveredEntity, tenants } = before.agreement;
  if (coveredEntity.id !== agreement.coveredEntity.id) throw refuse('is of another covered entity', 'of the same');
  const isWider = agreement.tenants.length === 0 || (tenants.length > 0 && tenants.every((tenant) => agreement.tenants.includes(tenant)));
  if (!isWider) throw refuse('is for departments that the new one leaves out', 'for no other departments than the new one');
  if (beginOf(agreement) < before.begin) throw refuse('begins later', 'that begins before the new one');
}

/** Synthetic data and PHI never at the same time, and no key of the one under an agreement for the other. */
function checkData(agreement: Agreement, live: readonly Term[], { keys }: Snapshot, now: number): void {
  const isSynthetic = agreement.kind === 'synthetic';
  const other = isSynthetic ? 'PHI' : 'synthetic';
  const clash = live.find((term) => {
    const isOther = (term.agreement.kind === 'synthetic') !== isSynthetic;
    return isOther && ((term.begin <= now && now < term.end) || overlaps(term, agreement));
  });
  if (clash !== undefined) {
    throw new SiteError(
      `The agreement ${agreement.id} is ${agreement.kind}, and ${clash.agreement.id} (${clash.agreement.kind}) is in force or will be at the same time: revoke that one first (inward agreement revoke).`,
    );
  }
  // Also one that has expired: only a revoked key can never be used again.
  const left = keys.filter(({ data, revokedAt }) => (data === 'synthetic') !== isSynthetic && (revokedAt === undefined || revokedAt > now));
  if (left.length === 0) return;
  throw new SiteError(
    `The agreement ${agreement.id} is ${agreement.kind}, and ${left.length} ${left.length === 1 ? 'key' : 'keys'} for ${other} data can still be used: revoke them first (inward key revoke).`,
  );
}

function checkOverlap(agreement: Agreement, live: readonly Term[]): void {
  const clash = live.find((term) => agreement.supersedes !== term.agreement.id && sharesTenant(term.agreement, agreement) && overlaps(term, agreement));
  if (clash === undefined) return;
  throw new SiteError(
    `The agreement ${agreement.id} is at the same time and for the same departments as ${clash.agreement.id}: let it supersede that one, or choose other dates or departments.`,
  );
}

function overlaps({ begin, end }: Term, agreement: Agreement): boolean {
  // One that was superseded before it began is never in force.
  return begin < end && begin < endOf(agreement) && beginOf(agreement) < end;
}

function sharesTenant(a: Agreement, b: Agreement): boolean {
  return a.tenants.length === 0 || b.tenants.length === 0 || a.tenants.some((tenant) => b.tenants.includes(tenant));
}
