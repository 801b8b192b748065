/**
 * Owns the claim about memory on disks: swapping and hibernation are not possible, or write nothing in plain text, by what the layers of the
 * server go by (runtime/layers). That nothing was swapped out in this hour says nothing.
 */
import { examineHibernation, type Layer } from '../../../runtime/index.ts';
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import type { ProcessFacts } from '../processes.ts';

export function judgeSwap(facts: readonly ProcessFacts[], hibernation: Pick<Layer, 'state' | 'reason'> = examineHibernation()): Finding {
  const places = facts
    .filter(({ swapped }) => swapped > 0)
    .map(({ kind, swapped }): Place => ({ where: `${swapped} bytes are swapped out`, process: kind, count: 1 }));
  const open = facts.find(({ swap }) => swap.state !== 'held');
  if (facts.length === 0) return doubt('swap', places, 'No process of the server was there to be looked at.');
  if (open !== undefined) return doubt('swap', places, `Memory of the server may be swapped: ${open.swap.reason} (inward doctor says more).`);
  if (hibernation.state !== 'held') return doubt('swap', places, `The machine may be put to sleep on a disk: ${hibernation.reason} (inward doctor says more).`);
  const reasons = [...new Set(facts.map(({ swap }) => swap.reason))].join(', ');
  return judge('swap', places, `Of ${facts.length} processes: swapping ${reasons}; hibernation ${hibernation.reason}.`);
}
