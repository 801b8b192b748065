/**
 * Owns how a process of ours is started locked down: by the kernel (lockdown.py), by Node's permission model, without core files
 * and output, with an environment given in full and a link for messages. Refuses to hand on what the parent's
 * environment says by chance, and to believe what it asked for: layers/ looks.
 *
 * The permission model binds JavaScript, not native code; on Node 24 it does not bind the network either. The kernel binds both.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import type { Stream } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Link, linkedStdio } from './link/link.ts';

export interface Launch {
  /** The program. */
  readonly file: URL;
  /** Of Node and V8. */
  readonly flags: readonly string[];
  /** Files and folders that it may read; `*` is everything. */
  readonly reads: readonly string[];
  /** What the kernel lets it write; Node's permission model lets it write nothing. */
  readonly writes: readonly string[];
  /** Not even the cache of compiled code may be written. */
  readonly keepsNothing: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** Pipes to others of our processes, behind the one of the link: new ones, or the ends that others have left here. */
  readonly pipes?: readonly StdioPipe[];
}

export type StdioPipe = 'pipe' | Stream;

/** A process of ours, and the way to it. */
export interface Launched<Sent extends object, Received> {
  readonly process: ChildProcess;
  readonly link: Link<Sent, Received>;
}

/**
 * Since Node 24.21 a process can give its permissions back (`lockFiles`). Then it may write the compiled form of our sources to
 * where the command keeps it while it starts, which spares 18 MB; before anything of a request reaches it, it locks itself.
 */
const canLockFiles = compareVersions(process.versions.node, '24.21.0') >= 0;

/**
 * For glibc ("Memory Allocation Tunables" of its manual): a block is overwritten as it is given back. The same as in scripts/node.mjs, for
 * whoever embeds the engine without the command.
 */
export const overwritingEnvironment = { GLIBC_TUNABLES: 'glibc.malloc.perturb=85:glibc.malloc.tcache_count=0' };

/** What was started from here and has not ended. */
const running = new Set<ChildProcess>();

export function launch<Sent extends object, Received>(options: Launch): Launched<Sent, Received> {
  const { file, flags, reads, writes, keepsNothing, environment, pipes = [] } = options;
  const codeCache = canLockFiles ? process.env['NODE_COMPILE_CACHE'] : undefined;
  const permissions = ['--permission', ...reads.map((path) => `--allow-fs-read=${path}`)];
  // Where the kernel forbids the writing Node must still think that it may, or it would not read the cache.
  if (codeCache !== undefined) permissions.push(`--allow-fs-read=${codeCache}`, `--allow-fs-write=${codeCache}`);
  const places = codeCache === undefined || keepsNothing ? writes : [...writes, codeCache];
  for (const place of places) makePlace(place);
  const [command, ...values] = lockCommand([process.execPath, ...flags, ...permissions, fileURLToPath(file)], places);
  const child = spawn(command, values, {
    // What V8 prints when it aborts, or a library warns of, reaches no terminal and no log.
    stdio: [...linkedStdio, ...pipes],
    env: { ...environment, ...overwritingEnvironment, ...(codeCache === undefined ? {} : { NODE_COMPILE_CACHE: codeCache }) },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return { process: child, link: Link.toChild(child) };
}

/** The kernel takes rules for what is there only. */
function makePlace(path: string): void {
  try {
    if (!existsSync(path)) mkdirSync(path, { recursive: true });
  } catch {
    // Where no cache can be kept, none may be written.
  }
}

/** Ids of the processes that run now. */
export function listProcesses(): number[] {
  return Array.from(running, ({ pid }) => pid).filter((pid) => pid !== undefined);
}

/** A program of ours beside the caller: .ts in a clone, .js in a built package. */
export function programBeside(caller: string, name: string): URL {
  return new URL(`./${name}${caller.endsWith('.ts') ? '.ts' : '.js'}`, caller);
}

/** Places that only the system's administrator writes to; what a PATH leads to may be a script that needs a home. */
const pythons = ['/usr/bin/python3', '/usr/local/bin/python3'];
const helper = fileURLToPath(new URL('./lockdown.py', import.meta.url));

/** Found once: it costs some 30 ms. */
let python: string | 'none' | undefined;

/** The Python that sets the kernel's layers; undefined where there is none, or none that can run the helper. */
export function findPython(): string | undefined {
  python ??= process.platform === 'linux' ? (pythons.find((path) => existsSync(path) && canLock(path)) ?? 'none') : 'none';
  return python === 'none' ? undefined : python;
}

/** A Python that is broken, or lacks parts, must not keep a process of ours from starting. */
export function canLock(path: string): boolean {
  const [command, ...values] = withHelper(path, [], [process.execPath, '--version']);
  return spawnSync(command, values, { env: {}, stdio: 'ignore', timeout: 20_000 }).status === 0;
}

function withHelper(path: string, writes: readonly string[], command: readonly string[]): [string, ...string[]] {
  return [path, '-I', '-S', '-B', helper, ...writes, '--', ...command];
}

/**
 * The same command, locked as far as this machine can: a shell forbids core files and takes all memory out of those that are piped
 * to a handler all the same, because an abort would write prompts into one; the helper does the rest (lockdown.py).
 */
export function lockCommand(command: readonly [string, ...string[]], writes: readonly string[]): [string, ...string[]] {
  if (process.platform === 'win32') return [...command];
  const python = findPython();
  const locked = python === undefined ? command : withHelper(python, writes, command);
  return ['/bin/sh', '-c', 'ulimit -c 0 || exit 1; { echo 0 >/proc/self/coredump_filter; } 2>/dev/null; exec "$0" "$@"', ...locked];
}

/** Of two versions in numbers: negative, zero or positive, as a sort wants it. */
function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
