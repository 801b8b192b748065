/**
 * Owns the rule that memory with PHI is not swapped to a disk as plain text: what a start for PHI is refused with. Refuses to turn
 * swap off, which is the administrator's.
 */
import type { Layer } from '../../../runtime/index.ts';

/** `allow` is a decision of the site, and on record as part of the profile of each start. */
export type SwapPolicy = 'refuse' | 'allow';

/** Why a server may not start, or nothing. */
export function judgeSwap({ state, reason }: Pick<Layer, 'state' | 'reason'>, policy: SwapPolicy): string | undefined {
  if (policy === 'allow' || state === 'held') return undefined;
  const found = reason === 'swap-on' ? 'found swap on a disk in plain text' : 'found that /proc/swaps cannot be read';
  return `Memory may be swapped: expected none, zram or an encrypted device, ${found}; turn it off (swapoff -a, MemorySwapMax=0 in the unit), or decide to allow it (swap allow).`;
}
