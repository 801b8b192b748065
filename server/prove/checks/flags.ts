/**
 * Owns the claim about Node's own ways to show memory: flags and variables of every process, by the list that a start goes by (leaks.ts), and
 * SIGUSR1, which opens an inspector.
 */
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import type { Crash } from '../crash.ts';
import type { ProcessFacts } from '../processes.ts';

export function judgeFlags(facts: readonly ProcessFacts[], { inspected, crashed, omitted }: Crash): Finding {
  const set = facts.flatMap(({ kind, leaks }) => leaks.map((where): Place => ({ where, process: kind, count: 1 })));
  const listening = inspected.map((process): Place => ({ where: 'an inspector after SIGUSR1', process, count: 1 }));
  if (facts.length === 0 || crashed.length < 3) return doubt('flags', [...set, ...listening], omitted ?? 'No copy of the server was there to be signalled.');
  return judge(
    'flags',
    [...set, ...listening],
    `Flags and variables of ${facts.length} processes were read; ${crashed.length} processes of a copy got SIGUSR1.`,
  );
}
