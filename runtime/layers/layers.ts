/**
 * Owns the report of what the kernel holds around our processes: read back from each of them and tried by one more. Refuses to
 * believe what the launcher asked for.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPython, listProcesses } from '../launch.ts';
import { judgeHibernation } from './hibernation.ts';
import { type ProcessFacts, readProcess } from './process-facts.ts';
import { judgeSwap } from './swap.ts';
import { type Tries, tryLocks } from './tries.ts';
import { held, type Layer, type LayerName, lacking, layerNames, type Verdict } from './types.ts';

/** What is judged. */
export interface LayerFacts {
  readonly hasPython: boolean;
  /** Of this process: the server, or who embeds the engine. */
  readonly own: ProcessFacts | undefined;
  /** Of engine and text processes that run now; one that could not be looked at is undefined. */
  readonly children: readonly (ProcessFacts | undefined)[];
  readonly tries: Tries | undefined;
  /** /proc/sys/kernel/core_pattern. */
  readonly corePattern: string | undefined;
  readonly swap: Verdict;
  readonly hibernation: Verdict;
}

/** Looks at this process and at all that it has started; takes some 0.1 s, for a process of its own that tries. `root`: where the host is described. */
export async function examineLayers(root = '/'): Promise<Layer[]> {
  const tries = await tryLocks();
  return judgeLayers({
    hasPython: findPython() !== undefined,
    own: readProcess('self'),
    children: listProcesses().map((id) => readProcess(id)),
    tries,
    corePattern: readCorePattern(root),
    swap: judgeSwap(root),
    hibernation: judgeHibernation(root),
  });
}

export function judgeLayers(facts: LayerFacts): Layer[] {
  const { own, children, tries, corePattern } = facts;
  // The one that tried stands for those that are not there yet.
  const locked = [...children, tries?.facts];
  const all = [own, ...locked];
  const refused = tries?.refused;
  const keepsNoKernels = children.flatMap((child) => child?.keepsNoKernels ?? []);
  const keepsNothing = keepsNoKernels.length > 0 && keepsNoKernels.every(Boolean);
  const without = lacking(facts.hasPython ? 'no-kernel-support' : 'no-python');
  const byKernel = (isHeld: boolean | undefined, reason: Parameters<typeof held>[0]): Verdict => (isHeld === true ? held(reason) : without);
  const verdicts: Readonly<Record<LayerName, Verdict>> = {
    privileges: byKernel(
      every(locked, ({ hasNoNewPrivileges }) => hasNoNewPrivileges),
      'read-back',
    ),
    // A container's own filter is on this process too.
    calls: byKernel(
      every(locked, ({ filterCount }) => own !== undefined && filterCount > own.filterCount),
      'read-back',
    ),
    sockets: byKernel(refused?.tcp && refused.udp && refused.local, 'tried'),
    signals: byKernel(refused?.signal, 'tried'),
    files: byKernel(refused?.file, keepsNothing || keepsNoKernels.length === 0 ? 'tried' : 'caches-only'),
    'core-limit': every(all, ({ coreLimits: [soft, hard] }) => soft === 0 && hard === 0) ? held('read-back') : lacking('not-set'),
    'core-memory': every(all, ({ coreMemory }) => coreMemory === 0) ? held('read-back') : lacking('not-set'),
    'core-handler': judgeHandler(corePattern),
    swap: facts.swap,
    hibernation: facts.hibernation,
    'freed-memory': judgeFreed([own, ...children], tries),
    'driver-cache': keepsNothing ? held('read-back') : lacking(keepsNoKernels.length === 0 ? 'no-process' : 'kept'),
  };
  return layerNames.map((name) => ({ name, ...verdicts[name] }));
}

/** A process that could not be looked at holds nothing. */
function every(processes: readonly (ProcessFacts | undefined)[], holds: (facts: ProcessFacts) => boolean): boolean {
  return processes.every((facts) => facts !== undefined && holds(facts));
}

/** What a C library is told, another one than glibc does not do. */
function judgeFreed(processes: LayerFacts['children'], tries: Tries | undefined): Verdict {
  if (!every(processes, ({ overwritesFreed }) => overwritesFreed)) return lacking('not-set');
  return tries?.overwritesFreed === true ? held('read-back') : lacking('no-library-support');
}

/** A core that is piped is written whatever the limit says. */
function judgeHandler(pattern: string | undefined): Verdict {
  if (pattern === undefined) return lacking('unreadable');
  return pattern.startsWith('|') ? lacking('piped') : held('read-back');
}

function readCorePattern(root: string): string | undefined {
  try {
    return readFileSync(join(root, 'proc/sys/kernel/core_pattern'), 'latin1').trim();
  } catch {
    return undefined;
  }
}
