/**
 * Owns which processes a server consists of, as /proc has them, and what each is. Refuses to keep a process id: look again.
 */
import { existsSync, readFileSync } from 'node:fs';
import { findProcesses, type Trace } from './trace.ts';

export type ProcessKind = 'server' | 'engine' | 'text' | 'other';

export interface FoundProcess {
  readonly pid: number;
  readonly kind: ProcessKind;
}

/** A server whose processes can be looked at. */
export interface Watched {
  /** The processes that there are now. */
  look(): FoundProcess[];
}

/** This process and all below it. */
export function listTree(pid: number): number[] {
  return existsSync(`/proc/${pid}`) ? [pid, ...listChildren(pid).flatMap(listTree)] : [];
}

export function listChildren(pid: number): number[] {
  return readProcess(pid, `task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
}

export function toKind(pid: number): ProcessKind {
  const command = readProcess(pid, 'cmdline');
  if (/\/runtime\/host\/(?:process|stage)\.[jt]s/.test(command)) return 'engine';
  if (/\/runtime\/text\/process\.[jt]s/.test(command)) return 'text';
  // One that was started by a launcher.
  return /\/bin\/inward\.mjs/.test(command) ? 'server' : 'other';
}

/** A small file of a process; nothing where it has ended or may not be read. */
export function readProcess(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}

/** Which process a thread of the trace is of. */
export function createKinds(seen: ReadonlyMap<number, ProcessKind>, trace: Trace | undefined): (thread: number) => ProcessKind {
  const owners = trace === undefined ? new Map<number, number>() : findProcesses(trace);
  return (thread) => seen.get(owners.get(thread) ?? thread) ?? 'other';
}
