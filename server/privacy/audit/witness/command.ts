/**
 * Owns the witness that is a program of the site, for a printer, a mail or a counter in hardware: it gets the checkpoint on its
 * standard input, and has kept it when it ends with 0. Refuses a program that others may change; it gets no shell, no arguments, no
 * output and no environment but a fixed PATH.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { SiteError } from '../../errors.ts';
import { codeOf } from '../../files.ts';
import { type KeptCheckpoint, type Witness, WitnessError, type Witnessed } from './contract.ts';

/** Longest time for one checkpoint, in ms. */
const standardLimitMs = 10_000;
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export class CommandWitness implements Witness {
  readonly #path: string;
  readonly #limitMs: number;
  readonly #closing = new AbortController();

  /** Throws SiteError where the program cannot be run. */
  constructor(path: string, limitMs: number = standardLimitMs) {
    checkProgram(path);
    this.#path = path;
    this.#limitMs = limitMs;
  }

  /** A program takes and gives nothing back. */
  lastSeen(): KeptCheckpoint | undefined {
    return undefined;
  }

  async keep({ note }: Witnessed): Promise<void> {
    if (this.#closing.signal.aborted) throw new WitnessError('closed');
    const timeout = AbortSignal.timeout(this.#limitMs);
    const code = await runProgram(this.#path, note, AbortSignal.any([timeout, this.#closing.signal]));
    if (this.#closing.signal.aborted) throw new WitnessError('closed');
    if (timeout.aborted && code !== 0) throw new WitnessError('timeout');
    if (code !== 0) throw new WitnessError('command_failed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
  }
}

/** Gives the exit code; undefined where there is none. What it started and left behind ends with it. */
function runProgram(path: string, input: string, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve) => {
    // A group of its own, which ends as one.
    const child = spawn(path, [], { cwd: '/', env: { PATH: searchPath }, stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    const kill = (): void => killGroup(child);
    signal.addEventListener('abort', kill);
    const end = (code: number | null): void => {
      signal.removeEventListener('abort', kill);
      kill();
      resolve(code ?? undefined);
    };
    child.once('error', () => end(null));
    // Not `close`: what it left behind may hold its streams.
    child.once('exit', end);
    // A program may end without having read all.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

function checkProgram(path: string): void {
  const refuse = (found: string): SiteError =>
    new SiteError(
      `The program ${path} of the audit witness cannot be used: expected a program that this user may run and only its owner may change, found ${found}.`,
    );
  try {
    const { mode, uid } = statSync(path);
    accessSync(path, constants.X_OK);
    if (!statSync(path).isFile()) throw refuse('something that is no file');
    if ((mode & 0o022) !== 0) throw refuse(`mode ${(mode & 0o777).toString(8).padStart(4, '0')} (chmod go-w)`);
    if (uid !== 0 && uid !== (process.geteuid?.() ?? uid)) throw refuse('one of another user');
  } catch (error) {
    throw error instanceof SiteError ? error : refuse(`none (${codeOf(error)})`);
  }
}
