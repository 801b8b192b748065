/**
 * Owns the count of byte strings in the memory of another process: all its writable mappings, read through /proc/PID/mem. A scan of the own
 * process would count its own buffer. Needs the same user or root, and a kernel that lets one process read another's memory.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { countOf } from './markers.ts';

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
  /** Bytes that were read, and bytes of mappings that cannot be read, as those of a device. */
  readonly size: number;
  readonly closedSize: number;
}

const chunkSize = 2 ** 22;

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
  let file: number;
  let mappings: Mapping[];
  try {
    mappings = readMappings(readFileSync(`/proc/${pid}/maps`, 'latin1'));
    file = openSync(`/proc/${pid}/mem`, 'r');
  } catch {
    return undefined;
  }
  const counts: Partial<Record<MappingKind, number>> = {};
  let [total, size, closedSize] = [0, 0, 0];
  try {
    for (const mapping of mappings) {
      const found = countInMapping(file, mapping, needles);
      total += found.count;
      size += found.size;
      closedSize += mapping.end - mapping.start - found.size;
      if (found.count > 0) counts[mapping.kind] = (counts[mapping.kind] ?? 0) + found.count;
    }
  } finally {
    closeSync(file);
  }
  return size === 0 ? undefined : { counts, total, size, closedSize };
}

function countInMapping(file: number, { start, end }: Mapping, needles: readonly Buffer[]): { readonly count: number; readonly size: number } {
  // What begins before the end of a chunk and ends after it is in none of both.
  const overlap = Math.max(...needles.map(({ length }) => length)) - 1;
  const buffer = Buffer.allocUnsafeSlow(overlap + chunkSize);
  let [count, size, kept] = [0, 0, 0];
  for (let at = start; at < end; ) {
    const read = readAt(file, buffer, kept, Math.min(chunkSize, end - at), at);
    if (read === 0) break;
    const bytes = buffer.subarray(0, kept + read);
    // A shorter one may lie in the kept bytes as a whole, where it was counted before.
    for (const needle of needles) count += countOf(bytes, needle) - countOf(bytes.subarray(0, kept), needle);
    kept = Math.min(overlap, bytes.length);
    bytes.copy(buffer, 0, bytes.length - kept);
    at += read;
    size += read;
  }
  return { count, size };
}

function readAt(file: number, buffer: Buffer, offset: number, length: number, position: number): number {
  try {
    return readSync(file, buffer, offset, length, position);
  } catch {
    // Gone meanwhile, or no memory of the machine.
    return 0;
  }
}
