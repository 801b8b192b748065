/**
 * Owns what the kernel says of a process that matters for a proof: its limit for core files, what a core file would hold, what of it is
 * swapped out or may be, its flags, and its sockets.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { examineSwap, type Layer } from '../../runtime/index.ts';
import { findLeaks } from '../leaks.ts';
import { type FoundProcess, readProcess } from './tree.ts';

export interface ProcessFacts extends FoundProcess {
  /** Soft limit of core files, as the kernel writes it: a number of bytes, or `unlimited`. */
  readonly coreLimit: string;
  /** What goes into a core file; 0 is nothing. Undefined where the kernel does not say. */
  readonly coreFilter: number | undefined;
  /** Bytes. */
  readonly swapped: number;
  /** Names of flags and variables that must not be there. */
  readonly leaks: readonly string[];
  /** Whether it may be. */
  readonly swap: Pick<Layer, 'state' | 'reason'>;
}

/** Of those that have not ended meanwhile. */
export function readFacts(processes: readonly FoundProcess[]): ProcessFacts[] {
  return processes.flatMap((found) => {
    const status = readProcess(found.pid, 'status');
    const limits = readProcess(found.pid, 'limits');
    if (limits === '') return [];
    const filter = readProcess(found.pid, 'coredump_filter').trim();
    return {
      ...found,
      coreLimit: /^Max core file size +(\S+)/m.exec(limits)?.[1] ?? 'unknown',
      coreFilter: filter === '' ? undefined : Number.parseInt(filter, 16),
      swapped: Number(/^VmSwap:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024,
      leaks: findLeaks({ nodeFlags: readFlags(found.pid), environment: readEnvironment(found.pid) }).map(({ name }) => name),
      swap: examineSwap('/', found.pid),
    };
  });
}

/** What stands before the program is Node's. */
function readFlags(pid: number): string[] {
  const words = readProcess(pid, 'cmdline').split('\0').slice(1);
  const program = words.findIndex((word) => !word.startsWith('-'));
  return program < 0 ? words.filter((word) => word !== '') : words.slice(0, program);
}

/** Variables of a process; none where it may not be looked at. */
export function readEnvironment(pid: number): Record<string, string> {
  const lines = readProcess(pid, 'environ').split('\0');
  return Object.fromEntries(lines.flatMap((line) => (line.includes('=') ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]] : [])));
}

export interface Socket {
  readonly protocol: 'tcp' | 'udp';
  readonly localPort: number;
  /** Address and port in the kernel's hexadecimal form. */
  readonly remote: string;
  readonly isListening: boolean;
}

/** Network sockets of a process, as /proc has them. */
export function listSockets(pid: number): Socket[] {
  const inodes = new Set(listLinks(pid).flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  if (inodes.size === 0) return [];
  return (['tcp', 'tcp6', 'udp', 'udp6'] as const).flatMap((table) =>
    readProcess(pid, `net/${table}`)
      .split('\n')
      .slice(1)
      .flatMap((line) => {
        const [, local = '', remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/);
        if (!inodes.has(inode)) return [];
        const protocol = table.startsWith('tcp') ? ('tcp' as const) : ('udp' as const);
        return [{ protocol, localPort: Number.parseInt(local.split(':')[1] ?? '', 16), remote, isListening: protocol === 'tcp' && state === '0A' }];
      }),
  );
}

function listLinks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${name}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
