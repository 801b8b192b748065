/**
 * Owns what is known about the memory of processes: read from /proc, summed over a process and all its descendants.
 * A page that two of them share counts twice: the sum is an upper bound.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TreeMemory {
  /** Processes of the tree. */
  readonly processes: number;
  /** Resident bytes now. */
  readonly resident: number;
  /** Sum of each process's own highest resident size, in bytes; they need not have had it at the same time. */
  readonly peak: number;
}

/** Memory of the process `pid` and of everything below it. All zero if there is no such process. */
export function readTreeMemory(pid: number, root: string = '/proc'): TreeMemory {
  const parents = readParents(root);
  const isBelow = (process: number | undefined): boolean => process === pid || (process !== undefined && isBelow(parents.get(process)));
  const statuses = [...parents.keys()].filter(isBelow).flatMap((process) => readText(join(root, String(process), 'status')) ?? []);
  const sum = (field: string): number => statuses.reduce((total, status) => total + readKibibytes(status, field) * 1024, 0);
  return { processes: statuses.length, resident: sum('VmRSS'), peak: sum('VmHWM') };
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
