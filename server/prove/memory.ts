/**
 * Owns the count of byte strings in the memory of another process: all its writable mappings, read through /proc/PID/mem. Needs the same
 * user or root, and a kernel that lets one process read another's memory. Refuses the process that it runs in: its own buffers would be counted.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { pieceSize, Scan } from './scan.ts';

/** What a mapping is for; `shared`: memory that has a name and no file, as buffers of a device have; `file`: a file that is mapped for writing. */
export type MappingKind = 'heap' | 'stack' | 'anonymous' | 'shared' | 'file';

export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly kind: MappingKind;
}

export interface MemoryCount {
  readonly counts: Readonly<Partial<Record<MappingKind, number>>>;
  readonly total: number;
  /** In the order of the needles. */
  readonly ofNeedles: readonly number[];
  /** Bytes that were read, and bytes of mappings that cannot be read, as those of a device. */
  readonly size: number;
  readonly closedSize: number;
}

/** The writable mappings in the text of a `maps` file. */
export function readMappings(maps: string): Mapping[] {
  return maps.split('\n').flatMap((line) => {
    const [, start, end, name = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
    return start === undefined || end === undefined ? [] : [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), kind: toKind(name) }];
  });
}

function toKind(name: string): MappingKind {
  if (name === '[heap]') return 'heap';
  if (name.startsWith('[stack')) return 'stack';
  if (/^\/(?:memfd:|dev\/)/.test(name)) return 'shared';
  return name.startsWith('/') ? 'file' : 'anonymous';
}

/** How often these byte strings are in the memory of a process; undefined where it may not be read, or has ended. */
export function countInMemory(pid: number, needles: readonly Buffer[]): MemoryCount | undefined {
  if (pid === process.pid) throw new Error('A process cannot be searched by itself: what it looks for is in its memory.');
  let file: number;
  let mappings: Mapping[];
  try {
    mappings = readMappings(readFileSync(`/proc/${pid}/maps`, 'latin1'));
    file = openSync(`/proc/${pid}/mem`, 'r');
  } catch {
    return undefined;
  }
  const counts: Partial<Record<MappingKind, number>> = {};
  const scan = new Scan(needles);
  try {
    for (const mapping of mappings) {
      const before = scan.total;
      scanMapping(file, mapping, scan);
      const found = scan.total - before;
      if (found > 0) counts[mapping.kind] = (counts[mapping.kind] ?? 0) + found;
    }
  } finally {
    closeSync(file);
  }
  const { size, total, counts: ofNeedles } = scan;
  const mappedSize = mappings.reduce((sum, { start, end }) => sum + end - start, 0);
  return size === 0 ? undefined : { counts, total, ofNeedles, size, closedSize: mappedSize - size };
}

function scanMapping(file: number, { start, end }: Mapping, scan: Scan): void {
  scan.breakOff();
  for (let at = start; at < end; ) {
    const read = scan.next((buffer, offset) => readAt(file, buffer, offset, Math.min(pieceSize, end - at), at));
    // What lies behind a piece that cannot be read may be readable again.
    if (read === 0) scan.breakOff();
    at += read === 0 ? pieceSize : read;
  }
}

function readAt(file: number, buffer: Buffer, offset: number, length: number, position: number): number {
  try {
    return readSync(file, buffer, offset, length, position);
  } catch {
    // Gone meanwhile, or no memory of the machine.
    return 0;
  }
}
