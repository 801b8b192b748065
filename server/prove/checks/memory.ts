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
  /** Bytes. */
  readonly size: number;
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
  const memory = countInMemory(found.pid, needles);
  return { ...found, count: memory?.total, kinds: memory?.counts ?? {}, size: memory?.size ?? 0 };
}

export function judgeMemory({ processes, waitedMs, first }: MemoryTable): Finding {
  const places = processes.flatMap(({ kind, kinds }) =>
    Object.entries(kinds).map(([mapping, count]): Place => ({ where: `memory (${mapping})`, process: kind, count })),
  );
  const closed = processes.filter(({ count }) => count === undefined);
  if (closed.length > 0 || processes.length === 0) return doubt('memory', places, `The memory of ${closed.length} processes may not be read by this user.`);
  const size = processes.reduce((sum, process) => sum + process.size, 0);
  const told = `${size} bytes of ${processes.length} processes were read ${Math.round(waitedMs / 1000)} s after the last answer; ${first} copies at the first look.`;
  return judge('memory', places, told);
}
