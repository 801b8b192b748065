/**
 * Owns how a process of ours is started locked down: Node's permission model, no core files, no output, an environment
 * given in full, and a channel for structured messages. Refuses to hand on what the parent's environment says by chance.
 *
 * The permission model binds JavaScript, not native code; on Node 24 it does not bind the network either.
 */
import { type ChildProcess, fork } from 'node:child_process';

export interface Launch {
  /** The program. */
  readonly file: URL;
  /** Of Node and V8. */
  readonly flags: readonly string[];
  /** Files and folders that it may read; `*` is everything. */
  readonly reads: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Since Node 24.21 a process can give its permissions back (`lockFiles`). Then it may write the compiled form of our sources to
 * where the command keeps it while it starts, which spares 18 MB; before anything of a request reaches it, it locks itself.
 */
const canLockFiles = compareVersions(process.versions.node, '24.21.0') >= 0;

export function launch({ file, flags, reads, environment }: Launch): ChildProcess {
  const codeCache = canLockFiles ? process.env['NODE_COMPILE_CACHE'] : undefined;
  const permissions = ['--permission', ...reads.map((path) => `--allow-fs-read=${path}`)];
  if (codeCache !== undefined) permissions.push(`--allow-fs-read=${codeCache}`, `--allow-fs-write=${codeCache}`);
  return fork(file, [], {
    ...withoutCores([...flags, ...permissions]),
    serialization: 'advanced',
    // What V8 prints when it aborts, or a library warns of, reaches no terminal and no log.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...environment, ...(codeCache === undefined ? {} : { NODE_COMPILE_CACHE: codeCache }) },
  });
}

/** A program of ours beside the caller: .ts in a clone, .js in a built package. */
export function programBeside(caller: string, name: string): URL {
  return new URL(`./${name}${caller.endsWith('.ts') ? '.ts' : '.js'}`, caller);
}

/** How Node is started with these flags: through a shell that forbids core files, because an abort would write prompts into one. */
function withoutCores(flags: readonly string[]): { readonly execPath: string; readonly execArgv: string[] } {
  if (process.platform === 'win32') return { execPath: process.execPath, execArgv: [...flags] };
  return { execPath: '/bin/sh', execArgv: ['-c', 'ulimit -c 0 && exec "$0" "$@"', process.execPath, ...flags] };
}

/** Of two versions in numbers: negative, zero or positive, as a sort wants it. */
function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
