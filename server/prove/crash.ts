/**
 * Owns the crash: a second copy of the server, whose processes get the signal that opens an inspector and then one that a fault would
 * send, and the look at what they left. Refuses to look at core files of others.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Child, type ChildOptions, signal } from './child.ts';
import { listSockets } from './processes.ts';
import { type ProcessKind, readProcess } from './tree.ts';

export interface Crash {
  /** What the kernel does with a core file. */
  readonly pattern: string;
  /** Processes that were made to crash; none where the copy did not start. */
  readonly crashed: readonly ProcessKind[];
  /** Files that were there afterwards, and not before. */
  readonly files: readonly string[];
  /** Processes that listened after SIGUSR1. */
  readonly inspected: readonly ProcessKind[];
  /** Why there was no copy to be harmed. */
  readonly omitted?: string;
}

/** Time for a process to come, in ms: it need not have loaded its model. */
const startLimitMs = 60_000;
const [settleMs, inspectorMs] = [1000, 500];

export async function crashCopy(options: ChildOptions): Promise<Crash> {
  const pattern = readCorePattern();
  await using child = new Child(options);
  const folders = [join(options.folder, 'work'), ...(pattern.startsWith('/') ? [dirname(pattern)] : [])];
  const before = new Set(folders.flatMap(listFiles));
  const begun = Date.now();
  if (!(await waitForProcesses(child))) return { pattern, crashed: [], files: [], inspected: [] };
  // Whoever does not take that signal would end by it, and show nothing.
  for (const { pid } of child.look()) if (takesSignal(pid)) signal(pid, 'SIGUSR1');
  await sleep(inspectorMs);
  const processes = child.look();
  const inspected = processes.filter(({ pid }) => listSockets(pid).some(({ isListening }) => isListening)).map(({ kind }) => kind);
  // Those below first: they would follow the server to their end.
  for (const { pid } of processes.toReversed()) signal(pid, 'SIGSEGV');
  await Promise.race([child.ended, sleep(20_000)]);
  const files = folders.flatMap(listFiles).filter((path) => !before.has(path) && isNewCore(path, begun));
  return { pattern, crashed: processes.map(({ kind }) => kind), files, inspected };
}

export function readCorePattern(): string {
  return readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim();
}

/** The server, and below it both of the others. */
async function waitForProcesses(child: Child): Promise<boolean> {
  for (const begun = Date.now(); Date.now() - begun < startLimitMs && !child.hasEnded; await sleep(50)) {
    const kinds = new Set(child.look().map(({ kind }) => kind));
    if (!kinds.has('engine') || !kinds.has('text')) continue;
    // A shell becomes each of them, and Node takes a moment until it takes signals.
    await sleep(settleMs);
    return child.look().length >= 3;
  }
  return false;
}

/** SIGUSR1 is number 10: bit 9 of the signals that a process catches or ignores. */
function takesSignal(pid: number): boolean {
  const status = readProcess(pid, 'status');
  return ['SigCgt', 'SigIgn'].some((name) => (Number.parseInt(new RegExp(`^${name}:.*([0-9a-f]{8})$`, 'm').exec(status)?.[1] ?? '0', 16) & 0x200) !== 0);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [join(folder, entry.name)] : []));
  } catch {
    return [];
  }
}

/** In its own folder any file is one; elsewhere others may write too. */
function isNewCore(path: string, begun: number): boolean {
  try {
    return statSync(path).ctimeMs >= begun;
  } catch {
    return false;
  }
}
