/**
 * Owns in which state a key is at a moment. Refuses keys for PHI and keys for synthetic data beside each other.
 */
import { SiteError } from './errors.ts';
import type { AccessKey } from './grants.ts';
import { isExpired, isRevoked } from './people.ts';
import type { Snapshot } from './store.ts';
import { listTerms } from './term.ts';
import type { DataClass } from './words.ts';

/** How long a break-glass key is taken after its first use, in ms. */
export const breakGlassMs: number = 4 * 3_600_000;

/** `ending`: its revocation lies in the future. `sealed`: a break-glass key that was never used; `open`: one that is in use; `spent`: one whose time is over. */
export type KeyState = 'valid' | 'ending' | 'sealed' | 'open' | 'spent' | 'expired' | 'revoked';

export function judgeKey(key: Pick<AccessKey, 'isSealed' | 'openedAt' | 'expiresAt' | 'revokedAt'>, now: number): KeyState {
  if (isRevoked(key, now)) return 'revoked';
  if (isExpired(key, now)) return 'expired';
  if (key.isSealed && key.openedAt !== undefined) return now - key.openedAt < breakGlassMs ? 'open' : 'spent';
  if (key.revokedAt !== undefined) return 'ending';
  return key.isSealed ? 'sealed' : 'valid';
}

/** Whether it is taken. */
export function isLive(key: AccessKey, now: number): boolean {
  return !['spent', 'expired', 'revoked'].includes(judgeKey(key, now));
}

/** Throws SiteError where a key of this class would be beside agreements or keys of the other one. */
export function checkDataClass(data: DataClass, { agreements, keys }: Pick<Snapshot, 'agreements' | 'keys'>, now: number): void {
  const [own, other] = data === 'phi' ? ['PHI', 'synthetic data'] : ['synthetic data', 'PHI'];
  const refuse = (what: string, remedy: string): SiteError =>
    new SiteError(
      `A key for ${own} cannot be beside ${what}, which is for ${other}: ${data === 'phi' ? `revoke that first (${remedy})` : 'evaluate on a site of its own (--site)'}.`,
    );
  // Also an agreement that begins later.
  const clash = listTerms(agreements).find(({ agreement, stored, end }) => {
    const isOther = (agreement.kind === 'synthetic') === (data === 'phi');
    return isOther && !isRevoked(stored, now) && now < end;
  });
  if (clash !== undefined) throw refuse(`the agreement ${clash.agreement.id}`, `inward agreement revoke ${clash.agreement.id}`);
  // Also a key that has expired: only a revoked one can never be used again.
  const key = keys.find((candidate) => candidate.data !== data && !isRevoked(candidate, now));
  if (key !== undefined) throw refuse(`the key ${key.id}`, `inward key revoke ${key.id}`);
}
