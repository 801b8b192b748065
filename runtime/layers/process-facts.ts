/**
 * Owns what the kernel says of a process under /proc: the locks that it carries, and whether it can leave a core. Source: proc(5),
 * core(5). Refuses to read a process's memory or command line.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ProcessFacts {
  /** Its C library is told to overwrite what it gets back, and to keep nothing from that. */
  readonly overwritesFreed: boolean;
  readonly hasNoNewPrivileges: boolean;
  /** Seccomp filters on it; 0 where it is not in filter mode. */
  readonly filterCount: number;
  /** Largest core file, soft and hard limit, in bytes; Infinity: unlimited. */
  readonly coreLimits: readonly [soft: number, hard: number];
  /** Kinds of memory that a core would hold, a bit each. */
  readonly coreMemory: number;
  /** Whether drivers are told to keep no compiled kernels; undefined where it loads no driver. */
  readonly keepsNoKernels: boolean | undefined;
}

/** Texts of the files of /proc/PID that are read here. */
export interface ProcessTexts {
  readonly status: string;
  readonly limits: string;
  readonly coredumpFilter: string;
  readonly environment: string;
}

/** Undefined where the process has ended or may not be looked at. */
export function readProcess(id: number | 'self', root = '/'): ProcessFacts | undefined {
  const read = (name: string): string => readFileSync(join(root, 'proc', String(id), name), 'latin1');
  try {
    return parseProcess({ status: read('status'), limits: read('limits'), coredumpFilter: read('coredump_filter'), environment: read('environ') });
  } catch {
    return undefined;
  }
}

export function parseProcess({ status, limits, coredumpFilter, environment }: ProcessTexts): ProcessFacts {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(status)?.[1] ?? 0);
  const core = /^Max core file size\s+(\S+)\s+(\S+)/m.exec(limits);
  const size = (text: string | undefined): number => (text === undefined || text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text));
  const variables = environment.split('\0');
  const loadsDriver = variables.some((line) => line.startsWith('VK_DRIVER_FILES='));
  // glibc cuts the text of its own variable at the colons.
  const tunables = environment.split(/[\0:]/).map((part) => part.replace(/^GLIBC_TUNABLES=/, ''));
  return {
    overwritesFreed: tunables.some((line) => /^glibc\.malloc\.perturb=0*[1-9]/.test(line)) && tunables.includes('glibc.malloc.tcache_count=0'),
    hasNoNewPrivileges: field('NoNewPrivs') === 1,
    // Before Linux 5.9 their number is not told: then there is at least one.
    filterCount: field('Seccomp') === 2 ? Math.max(1, field('Seccomp_filters')) : 0,
    coreLimits: [size(core?.[1]), size(core?.[2])],
    coreMemory: Number.parseInt(coredumpFilter, 16),
    keepsNoKernels: loadsDriver ? variables.includes('MESA_SHADER_CACHE_DISABLE=true') && variables.includes('__GL_SHADER_DISK_CACHE=0') : undefined,
  };
}
