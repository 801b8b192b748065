/**
 * Owns the claim about Node's own ways to show memory: flags and variables of every process, and SIGUSR1, which opens an inspector.
 */
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import type { Crash } from '../crash.ts';
import type { ProcessFacts } from '../processes.ts';

const openFlag =
  /^--(?:inspect|report|heapsnapshot|heap-prof|cpu-prof|prof|abort-on-uncaught-exception|trace-|diagnostic-dir|import|require|loader|experimental-loader|expose)/;
/** Where compiled code is kept shows nothing. */
const harmless = new Set([
  'NODE_COMPILE_CACHE',
  'NODE_ENV',
  'NODE_PATH',
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_EXTRA_CA_CERTS',
  'NODE_NO_WARNINGS',
  'NODE_UNIQUE_ID',
  'NODE_VERSION',
]);

export function judgeFlags(facts: readonly ProcessFacts[], { inspected, crashed }: Crash): Finding {
  const set = facts.flatMap(({ kind, flags, variables }): Place[] => [
    ...flags.filter((flag) => openFlag.test(flag)).map((flag) => ({ where: flag.replace(/=.*/, ''), process: kind, count: 1 })),
    ...variables.filter((name) => !harmless.has(name)).map((name) => ({ where: `variable ${name}`, process: kind, count: 1 })),
  ]);
  const listening = inspected.map((process): Place => ({ where: 'an inspector after SIGUSR1', process, count: 1 }));
  if (facts.length === 0 || crashed.length < 3) return doubt('flags', [...set, ...listening], 'No copy of the server was there to be signalled.');
  return judge(
    'flags',
    [...set, ...listening],
    `Flags and variables of ${facts.length} processes were read; ${crashed.length} processes of a copy got SIGUSR1.`,
  );
}
