/**
 * Owns the claim about swapping: there is no swap, or the server's control group may not use it. That nothing was swapped out in this hour says nothing.
 */
import { readFileSync } from 'node:fs';
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import type { ProcessFacts } from '../processes.ts';

/** `swaps`: the kernel's table. */
export function judgeSwap(facts: readonly ProcessFacts[], swaps: string = readFileSync('/proc/swaps', 'latin1')): Finding {
  const places = facts
    .filter(({ swapped }) => swapped > 0)
    .map(({ kind, swapped }): Place => ({ where: `${swapped} bytes are swapped out`, process: kind, count: 1 }));
  const areas = swaps.trim().split('\n').length - 1;
  if (areas === 0) return judge('swap', places, 'This machine has no swap (/proc/swaps).');
  if (facts.length > 0 && facts.every(({ maySwap }) => maySwap === false))
    return judge('swap', places, 'Swap is on, and the control group of every process forbids it (memory.swap.max is 0).');
  return doubt('swap', places, `${areas} areas of swap are on and the server may use them: whether they are encrypted is not known here.`);
}
