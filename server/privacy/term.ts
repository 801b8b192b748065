/**
 * Owns the term of an agreement: when it begins and ends among those of a site, how it stands at a moment, and when a warning
 * is due. Pure. An agreement whose place was taken does not come back when the later one is revoked: nobody agreed to that.
 */
import { type Agreement, beginOf, endOf, readAgreement } from './agreement.ts';
import { dayMs } from './clock.ts';
import type { StoredRecord } from './store.ts';

export const agreementStates = ['not-begun', 'in-force', 'superseded', 'expired', 'revoked'] as const;
export type AgreementState = (typeof agreementStates)[number];

/** Before the end of an agreement a warning is due from so many days on. */
export const warningDays: readonly number[] = [30, 14, 7, 1];

/** An agreement in a site's store; times in ms of the epoch. */
export interface Term {
  readonly agreement: Agreement;
  readonly stored: StoredRecord;
  readonly begin: number;
  /** By itself, or where one begins that supersedes it. Excluded. */
  readonly end: number;
}

/** Every agreement of a store, in its order. Throws SiteError where one cannot be read. */
export function listTerms(records: readonly StoredRecord[]): Term[] {
  const known = records.map((stored) => ({ agreement: readAgreement(stored.envelope), stored }));
  const starts = known
    .filter(({ agreement, stored }) => stored.revokedAt === undefined || stored.revokedAt >= beginOf(agreement))
    .map(({ agreement }) => ({ of: agreement.supersedes, at: beginOf(agreement) }));
  return known.map(({ agreement, stored }) => {
    const ends = starts.filter(({ of }) => of === agreement.id).map(({ at }) => at);
    return { agreement, stored, begin: beginOf(agreement), end: Math.min(endOf(agreement), ...ends) };
  });
}

/** How an agreement stands at a time. `end`: of its term, where others are known. */
export function stateOf(agreement: Agreement, stored: Pick<StoredRecord, 'revokedAt'>, now: number, end: number = endOf(agreement)): AgreementState {
  if (stored.revokedAt !== undefined) return 'revoked';
  // So that a time that is no number is past every end.
  if (!(now < end)) return end < endOf(agreement) ? 'superseded' : 'expired';
  return now < beginOf(agreement) ? 'not-begun' : 'in-force';
}

/** Days until the end, a begun one counted; 0 from the end on. */
export function daysLeft(agreement: Agreement, now: number, end: number = endOf(agreement)): number {
  return Math.max(0, Math.ceil((end - now) / dayMs));
}

/** Of `warningDays`, the last that has come; undefined: none has. */
export function findWarning(days: number): number | undefined {
  return warningDays.findLast((warning) => days <= warning);
}
