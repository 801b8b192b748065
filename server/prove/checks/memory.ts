/**
 * Owns the claim about memory: the markers in all writable memory of every process of the server, read from this one. The server gets time to be
 * idle in; the last look counts.
 */
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import { countInMemory, type MappingKind } from '../memory.ts';
import type { FoundProcess, Watched } from '../tree.ts';

export interface ProcessMemory extends FoundProcess {
  /** Markers in Latin-1 and UTF-16, and the ids of one of them; undefined where the memory may not be read. */
  readonly count: number | undefined;
  readonly kinds: Readonly<Partial<Record<MappingKind, number>>>;
  /** Bytes that were read. */
  readonly size: number;
  /** Bytes that could not be: of devices, and of all others. Left out: none. */
  readonly deviceSize?: number;
  readonly closedSize?: number;
}

export interface MemoryTable {
  /** From the last answer to the last look, in ms. */
  readonly waitedMs: number;
  readonly processes: readonly ProcessMemory[];
  /** Markers at the first look. */
  readonly first: number;
}

/** Before the first look, and between two, in ms. */
const [firstMs, pauseMs] = [2000, 5000];

/** Looks until nothing is found, or `idleMs` are over. */
export async function watchMemory(server: Watched, needles: readonly Buffer[], idleMs: number, onProgress: (done: number) => void): Promise<MemoryTable> {
  const begun = Date.now();
  let first: number | undefined;
  for (let pause = Math.min(firstMs, idleMs); ; pause = pauseMs) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const processes = server.look().map((found) => lookAt(found, needles));
    const total = processes.reduce((sum, { count }) => sum + (count ?? 0), 0);
    const waitedMs = Date.now() - begun;
    first ??= total;
    onProgress(total === 0 ? 1 : Math.min(0.99, waitedMs / Math.max(1, idleMs)));
    if (total === 0 || waitedMs + pauseMs > idleMs) {
      onProgress(1);
      return { waitedMs, processes, first };
    }
  }
}

function lookAt(found: FoundProcess, needles: readonly Buffer[]): ProcessMemory {
  const { total: count, counts: kinds = {}, size = 0, deviceSize = 0, closedSize = 0 } = countInMemory(found.pid, needles) ?? {};
  return { ...found, count, kinds, size, deviceSize, closedSize };
}

export function judgeMemory({ processes, waitedMs, first }: MemoryTable): Finding {
  const places = processes.flatMap(({ kind, kinds }) =>
    Object.entries(kinds).map(([mapping, count]): Place => ({ where: `memory (${mapping})`, process: kind, count })),
  );
  const shut = processes.filter(({ count }) => count === undefined);
  if (shut.length > 0 || processes.length === 0) return doubt('memory', places, `The memory of ${shut.length} processes may not be read by this user.`);
  const sum = (name: 'size' | 'deviceSize' | 'closedSize'): number => processes.reduce((total, { [name]: size = 0 }) => total + size, 0);
  if (sum('closedSize') > 0) return doubt('memory', places, `${sum('closedSize')} bytes of ${processes.length} processes could not be read.`);
  const device = sum('deviceSize') > 0 ? ` ${sum('deviceSize')} bytes are a device's, which only the server itself can read.` : '';
  const read = `${sum('size')} bytes of ${processes.length} processes were read ${Math.round(waitedMs / 1000)} s after the last answer`;
  return judge('memory', places, `${read}; ${first} copies at the first look.${device}`);
}
