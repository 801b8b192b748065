/**
 * Owns what is known about the memory of processes: read from /proc, summed over a process and all its descendants.
 * Two counts: the resident sizes (VmRSS), in which a page that two processes share counts twice, and the kernel's
 * proportional set sizes (Pss), in which it counts half in each, so that their sum is what the processes take together.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TreeMemory {
  /** Processes of the tree. */
  readonly processes: number;
  /** Resident bytes now, shared pages counted in every process that maps them. */
  readonly resident: number;
  /** The same with each page counted once; equal to `resident` where the kernel does not tell it. */
  readonly proportional: number;
  /** Sum of each process's own highest resident size, in bytes; they need not have had it at the same time. */
  readonly peak: number;
}

/** Memory of the process `pid` and of everything below it. All zero if there is no such process. */
export function readTreeMemory(pid: number, root: string = '/proc'): TreeMemory {
  const parents = readParents(root);
  const isBelow = (process: number | undefined): boolean => process === pid || (process !== undefined && isBelow(parents.get(process)));
  const read = [...parents.keys()].filter(isBelow).flatMap((process) => {
    const status = readText(join(root, String(process), 'status'));
    return status === undefined ? [] : [{ status, rollup: readText(join(root, String(process), 'smaps_rollup')) ?? '' }];
  });
  const sum = (size: (files: (typeof read)[number]) => number): number => read.reduce((total, files) => total + size(files) * 1024, 0);
  return {
    processes: read.length,
    resident: sum(({ status }) => readKibibytes(status, 'VmRSS')),
    proportional: sum(({ status, rollup }) => readKibibytes(rollup, 'Pss') || readKibibytes(status, 'VmRSS')),
    peak: sum(({ status }) => readKibibytes(status, 'VmHWM')),
  };
}

/** Resident bytes of one process now; 0 if there is no such process. */
export function readResident(pid: number): number {
  return readKibibytes(readText(`/proc/${pid}/status`) ?? '', 'VmRSS') * 1024;
}

/** The parent of each process. `/proc/PID/stat` is `PID (NAME) STATE PARENT ...`, and a name may hold spaces and brackets. */
function readParents(root: string): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync(root)) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readText(join(root, name, 'stat'));
    if (stat !== undefined) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 1).split(' ')[2]));
  }
  return parents;
}

function readKibibytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}

/** A process may end between two reads. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
