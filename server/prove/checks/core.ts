/**
 * Owns the claim about core files: what the kernel would do for each process, and what it did when a copy of the server crashed.
 */
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import type { Crash } from '../crash.ts';
import type { ProcessFacts } from '../processes.ts';

export function judgeCore(facts: readonly ProcessFacts[], { pattern, crashed, files, omitted }: Crash): Finding {
  // A program that takes core files gets them whatever the limit says (core(5)).
  const isPiped = pattern.startsWith('|');
  const isSafe = ({ coreLimit, coreFilter }: ProcessFacts): boolean => coreFilter === 0 || (coreLimit === '0' && !isPiped);
  const open = facts
    .filter((process) => !isSafe(process))
    .map(
      ({ kind, coreLimit }): Place => ({
        where: isPiped ? 'core_pattern is a program, and coredump_filter is not 0' : `core limit ${coreLimit}`,
        process: kind,
        count: 1,
      }),
    );
  const left = files.map((): Place => ({ where: 'a core file of the copy that crashed', process: 'none', count: 1 }));
  const told = `Limits and filters of ${facts.length} processes were read; ${crashed.length} processes of a copy (${crashed.join(', ')}) got SIGSEGV; core_pattern: ${isPiped ? 'a program' : 'a file'}.`;
  if (facts.length === 0 || crashed.length < 3) return doubt('core', [...open, ...left], omitted ?? 'No copy of the server could be made to crash.');
  return judge('core', [...open, ...left], told);
}
