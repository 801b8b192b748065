/**
 * Owns the server under proof: the installed program, started as a child with the settings that are in force, on a site, a port and a
 * temporary folder of its own; under strace where that is installed. Refuses to leave a process of it behind.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentName, type SettingName, settingTable } from '../config/table.ts';
import type { Settings } from '../config.ts';
import { SiteError } from '../privacy/errors.ts';
import { tracedCalls } from './trace.ts';
import { type FoundProcess, listChildren, listTree, type ProcessKind, readProcess, toKind, type Watched } from './tree.ts';

/** Settings that the server under proof has of its own: a synthetic site on this machine, in plain HTTP, that tells nobody else. */
// biome-ignore format: a list
export const replacedSettings: readonly SettingName[] = [
  'site', 'host', 'port', 'log', 'tlsCert', 'tlsKey', 'tlsClientCa', 'tlsClients', 'tlsMinVersion', 'oidcIssuer', 'oidcAudience', 'oidcKeys', 'auditWitness', 'auditWitnessLag',
];

export interface ChildOptions {
  /** Folder of the program. */
  readonly program: string;
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder for all of it: working folder, temporary files, site. */
  readonly folder: string;
  /** Where strace writes; left out, it does not run. */
  readonly trace?: string | undefined;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** Whether strace is installed, knows the options and may trace here. */
export function canTrace(environment: ChildOptions['environment']): boolean {
  const args = ['-f', '-qq', '-y', '-ttt', '--seccomp-bpf', '-e', 'trace=creat', '-o', '/dev/null', process.execPath, '--version'];
  return spawnSync('strace', args, { stdio: 'ignore', env: { ...environment } }).status === 0;
}

export class Child implements Watched, AsyncDisposable {
  readonly process: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** What it printed, as bytes: a character may have been cut. */
  readonly out: Buffer[] = [];
  readonly err: Buffer[] = [];
  /** Every process that was seen of it. */
  readonly seen: Map<number, ProcessKind> = new Map();
  readonly #isTraced: boolean;
  #pid = 0;

  constructor({ program, settings, environment, folder, trace, signal: end }: ChildOptions) {
    end?.throwIfAborted();
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary, { recursive: true, mode: 0o700 });
    const config = join(folder, 'settings.json');
    writeFileSync(config, JSON.stringify(keepSettings(settings)), { mode: 0o600 });
    const own = ['--config', config, '--site', join(folder, 'site'), '--host', '127.0.0.1', '--port', '0', '--log', 'json'];
    const command = [process.execPath, join(program, 'bin/inward.mjs'), 'evaluate', ...own];
    const [file = '', ...args] = trace === undefined ? command : [...traceCommand(trace), ...command];
    this.#isTraced = trace !== undefined;
    const cwd = join(folder, 'work');
    mkdirSync(cwd, { recursive: true, mode: 0o700 });
    // By the channel it learns that this process is gone, however that ended.
    this.process = spawn(file, args, { cwd, env: { ...withoutSettings(environment), TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.process.stdout?.on('data', (bytes: Buffer) => this.out.push(bytes));
    this.process.stderr?.on('data', (bytes: Buffer) => this.err.push(bytes));
    this.ended = new Promise((resolve) => {
      this.process.once('error', () => resolve(null));
      this.process.once('close', (code, signal) => resolve(code ?? signal));
    });
    end?.addEventListener('abort', () => void this[Symbol.asyncDispose](), { once: true });
  }

  /** Of the server itself; 0 while it has none. */
  get pid(): number {
    if (this.#pid !== 0) return this.#pid;
    const own = this.process.pid ?? 0;
    // strace has had others below it, to find out what the kernel can do, and becomes the command itself at first.
    this.#pid = this.#isTraced ? (listChildren(own).find((pid) => readProcess(pid, 'cmdline').startsWith(process.execPath)) ?? 0) : own;
    return this.#pid;
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  look(): FoundProcess[] {
    const found = this.pid === 0 ? [] : listTree(this.pid).map((pid) => ({ pid, kind: pid === this.pid ? ('server' as const) : toKind(pid) }));
    for (const { pid, kind } of found) if (kind !== 'other' || !this.seen.has(pid)) this.seen.set(pid, kind);
    return found;
  }

  /** Its address, once it listens. Throws SiteError with what it complained of, if it ends before that. */
  async listen(): Promise<string> {
    while (!this.hasEnded) {
      this.look();
      const url = /^ +URL +(http:\S+)$/m.exec(Buffer.concat(this.out).toString())?.[1];
      if (url !== undefined) return url;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await this.ended;
    const complaint = Buffer.concat(this.err).toString().trim().split('\n').at(-1);
    throw new SiteError(`The server that should be proved did not start: ${complaint || 'it ended without a word'}`);
  }

  /** Ends it as an operator would; false where it had to be killed after `limitMs`. */
  async stop(limitMs: number): Promise<boolean> {
    if (!this.hasEnded && this.pid !== 0) signal(this.pid, 'SIGTERM');
    const timer = AbortSignal.timeout(limitMs);
    const isLate = await Promise.race([
      this.ended.then(() => false),
      new Promise<boolean>((resolve) => timer.addEventListener('abort', () => resolve(true), { once: true })),
    ]);
    if (isLate) await this[Symbol.asyncDispose]();
    return !isLate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.hasEnded) return;
    for (const { pid } of this.look()) signal(pid, 'SIGKILL');
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** Sends a signal to a process that may have ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Ended meanwhile.
  }
}

/** Paths are printed whole whatever -s says; of everything else nothing is kept. */
export function traceCommand(file: string, more: readonly string[] = ['--seccomp-bpf']): string[] {
  return ['strace', '-f', '-qq', '-y', '-ttt', '-s', '0', ...more, '-o', file, '-e', `trace=${tracedCalls.join(',')}`];
}

function keepSettings(settings: Settings): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !replacedSettings.includes(name as SettingName)));
}

/** They are in the file that the child is given; what it replaces must not come back by the environment. */
function withoutSettings(environment: ChildOptions['environment']): Record<string, string | undefined> {
  const names = new Set(['INWARD_CONFIG', ...(Object.keys(settingTable) as SettingName[]).map(environmentName)]);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.has(name)));
}
