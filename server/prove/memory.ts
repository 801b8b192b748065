/**
 * Owns the count of byte strings in the memory of another process: all its writable mappings, read through /proc/PID/mem. Needs the same
 * user or root, and a kernel that lets one process read another's memory. Refuses the process that it runs in: its own buffers would be counted.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { pieceSize, Scan } from './scan.ts';

/** Of x86-64; where pages are larger, one is tried several times. */
const pageSize = 4096;

/** What a mapping is for; `shared`: memory that has a name and no file, as buffers of a device have; `file`: a file that is mapped for writing. */
export type MappingKind = 'heap' | 'stack' | 'anonymous' | 'shared' | 'file';

export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly kind: MappingKind;
  /** Of a driver: may be memory of the device itself, which no other process can read. */
  readonly isDevice: boolean;
}

export interface MemoryCount {
  readonly counts: Readonly<Partial<Record<MappingKind, number>>>;
  readonly total: number;
  /** In the order of the needles. */
  readonly ofNeedles: readonly number[];
  /** Bytes that were read. */
  readonly size: number;
  /** Bytes that are there and could not be read: of devices, and of all others. */
  readonly deviceSize: number;
  readonly closedSize: number;
}

/** The writable mappings in the text of a `maps` file. */
export function readMappings(maps: string): Mapping[] {
  return maps.split('\n').flatMap((line) => {
    const [, start, end, name = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
    if (start === undefined || end === undefined) return [];
    const isDevice = /^(?:\/dev\/(?!shm\/|zero\b)|anon_inode:|\/dmabuf)/.test(name);
    return [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), kind: toKind(name), isDevice }];
  });
}

function toKind(name: string): MappingKind {
  if (name === '[heap]') return 'heap';
  if (name.startsWith('[stack')) return 'stack';
  if (/^(?:\/(?:memfd:|dev\/|dmabuf)|anon_inode:)/.test(name)) return 'shared';
  return name.startsWith('/') ? 'file' : 'anonymous';
}

/** How often these byte strings are in the memory of a process; undefined where it may not be read, or has ended. */
export function countInMemory(pid: number, needles: readonly Buffer[]): MemoryCount | undefined {
  if (pid === process.pid) throw new Error('A process cannot be searched by itself: what it looks for is in its memory.');
  const list = (): Mapping[] => readMappings(readFileSync(`/proc/${pid}/maps`, 'latin1'));
  const counts: Partial<Record<MappingKind, number>> = {};
  const holes: Mapping[] = [];
  const scan = new Scan(needles);
  try {
    const mappings = list();
    const file = openSync(`/proc/${pid}/mem`, 'r');
    try {
      for (const mapping of mappings) {
        const before = scan.total;
        holes.push(...scanMapping(file, mapping, scan));
        const found = scan.total - before;
        if (found > 0) counts[mapping.kind] = (counts[mapping.kind] ?? 0) + found;
      }
    } finally {
      closeSync(file);
    }
    const { size, total, counts: ofNeedles } = scan;
    return size === 0 ? undefined : { counts, total, ofNeedles, size, ...measureHoles(holes, list()) };
  } catch {
    return undefined;
  }
}

/** Gives what could not be read. */
function scanMapping(file: number, mapping: Mapping, scan: Scan): Mapping[] {
  const { start, end, isDevice } = mapping;
  // What lies behind a page that cannot be read may be readable; of a device there are too many to try each.
  const stride = isDevice ? pieceSize : pageSize;
  const holes: Mapping[] = [];
  scan.breakOff();
  for (let at = start; at < end; ) {
    const read = scan.next((buffer, offset) => readAt(file, buffer, offset, Math.min(pieceSize, end - at), at));
    if (read === 0) {
      scan.breakOff();
      const hole = holes.at(-1)?.end === at ? holes.pop() : undefined;
      holes.push({ ...mapping, start: hole?.start ?? at, end: Math.min(end, at + stride) });
    }
    at += read === 0 ? stride : read;
  }
  return holes;
}

/** Without what the process has given back meanwhile. */
function measureHoles(holes: readonly Mapping[], later: readonly Mapping[]): Pick<MemoryCount, 'deviceSize' | 'closedSize'> {
  const sum = (isOfDevice: boolean): number =>
    holes
      .filter(({ start, isDevice }) => isDevice === isOfDevice && later.some((mapping) => mapping.start <= start && start < mapping.end))
      .reduce((size, { start, end }) => size + end - start, 0);
  return { deviceSize: sum(true), closedSize: sum(false) };
}

function readAt(file: number, buffer: Buffer, offset: number, length: number, position: number): number {
  try {
    return readSync(file, buffer, offset, length, position);
  } catch {
    // Gone meanwhile, or no memory of the machine.
    return 0;
  }
}
