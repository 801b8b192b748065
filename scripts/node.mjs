/**
 * Owns how a script gets to run under a Node that is recent enough: which one the packages brought, going on under
 * it as if it had been started that way, and ending with it. Plain JavaScript for Node 20; installs nothing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { constants, homedir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

/** Folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** The oldest major version of Node that runs the TypeScript part. */
export const nodeMajor = 24;

/**
 * glibc's own settings (the GNU C library's manual, "Memory Allocation Tunables"): a block is overwritten as it is given back, and as it is
 * given out. Blocks that a thread keeps for itself would be left out, so none are kept. Without measurable cost here.
 */
export const overwritingMalloc = 'glibc.malloc.perturb=85:glibc.malloc.tcache_count=0';

/** Whether the running Node is recent enough. */
export const isRecent = () => Number.parseInt(process.versions.node, 10) >= nodeMajor;

/** The Node binary that came with the packages, wherever its installer put it; undefined if it is not there. */
export function packagedNode(folder = root) {
  const platform = `node-${process.platform}-${process.arch}`;
  const places = ['node/bin/node', `node/node_modules/${platform}/bin/node`, `${platform}/bin/node`];
  // Installed as a package, its packages lie inside of it or, as a rule, beside it.
  const beside = folder.lastIndexOf(`${sep}node_modules${sep}`);
  const folders = beside < 0 ? [folder] : [folder, folder.slice(0, beside)];
  return folders.flatMap((at) => places.map((place) => join(at, 'node_modules', place))).find(existsSync);
}

/**
 * Goes on as `node args` under a Node that is recent enough and never comes back: this process ends with the child's code or signal.
 * The child has a process group of its own, so that Ctrl-C reaches it once, through us, and a channel that tells it when we are gone.
 */
export function continueUnderNode(args) {
  const node = isRecent() ? process.execPath : packagedNode();
  if (!node)
    fail(new Error(`Inward needs Node ${nodeMajor} or newer; this is ${process.version}, and the Node package that comes with Inward was not installed.`));
  const env = { ...process.env, ...overwritingEnvironment() };
  // At SIGUSR1 Node would open a debugger.
  const child = spawn(node, ['--disable-sigusr1', ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], detached: true, env });
  const last = {};
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      // npm hands on the Ctrl-C that the terminal has sent us already: within 300 ms it is the same one.
      if (Date.now() - (last[signal] ?? 0) > 300) child.kill(signal);
      last[signal] = Date.now();
    });
  return new Promise(() => {
    child.on('error', () => fail(new Error(`Node at ${node} cannot be started.`)));
    child.on('exit', (code, signal) => process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1)));
  });
}

/** For a script that `continueUnderNode` started: ends it when its parent is gone, however that ended. */
export function followParent() {
  if (!process.channel) return;
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
}

/** Prints the sentence and ends with exit code 1. */
export function fail(error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** glibc cuts the text of its own variable at the colons, so that the environment no longer has the whole of it: as the process was given it. */
function readTunables() {
  try {
    const parts = readFileSync('/proc/self/environ', 'latin1').split(/[\0:]/);
    return parts.map((part) => part.replace(/^GLIBC_TUNABLES=/, '')).filter((part) => /^glibc\.[a-z]+\.\w+=/.test(part));
  } catch {
    return [];
  }
}

/** What the C library reads as a process starts, for one that is started from here. Where somebody has decided, his. */
function overwritingEnvironment() {
  if (process.platform !== 'linux') return {};
  const own = readTunables();
  return { GLIBC_TUNABLES: (isOverwriting(own) ? own : [...own, overwritingMalloc]).join(':') };
}

const isOverwriting = (tunables) => tunables.some((tunable) => tunable.startsWith('glibc.malloc.perturb='));

/** Goes on as the same process from its beginning, in which native code's memory is overwritten as it is given back: it may hold prompts. */
export function overwriteFreed() {
  if (process.platform !== 'linux') return;
  const wasTold = isOverwriting(readTunables());
  Object.assign(process.env, overwritingEnvironment());
  // A channel does not survive; who started us with one has set the environment too, if he is ours.
  if (wasTold || process.channel || !process.execve) return;
  process.execve(process.execPath, [process.argv0, ...process.execArgv, ...process.argv.slice(1)], process.env);
}

/**
 * Keeps the stripped and compiled form of our own sources in the cache folder, for this process and its children:
 * half the start-up time, and 18 MB less memory a process, since the type stripper need not be loaded.
 */
export function cacheCompiledCode() {
  const { INWARD_CACHE, XDG_CACHE_HOME, HOME } = process.env;
  const folder = INWARD_CACHE || (XDG_CACHE_HOME ? join(XDG_CACHE_HOME, 'inward') : join(HOME || homedir(), '.cache', 'inward'));
  process.env.NODE_COMPILE_CACHE ??= join(folder, 'code');
  module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
}

/** Keeps the young generation of the heap at its first size: 6 MB less, for a process that mostly waits for the device. */
export function keepHeapSmall() {
  v8.setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Forbids core files to this process and its children, and takes all memory out of those that a machine pipes to a handler, whatever
 * the limit says: an abort would write prompts into one. Node cannot set a limit of its own, prlimit (util-linux) can, from outside.
 * Whether it held is for who reports it (runtime/layers/).
 */
export function forbidCores() {
  if (process.platform !== 'linux') return;
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
    if (!/^Max core file size\s+0\s+0\s/m.test(readFileSync('/proc/self/limits', 'latin1'))) {
      spawnSync('/usr/bin/prlimit', ['--core=0:0', '--pid', String(process.pid)], { stdio: 'ignore' });
    }
  } catch {
    // A /proc that is not there, or not to be written.
  }
}
