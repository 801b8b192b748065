/**
 * Owns how set-up runs other programs: output kept only for the error, an optional look at what they write meanwhile.
 */
import { type SpawnOptions, spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface CommandOptions extends Pick<SpawnOptions, 'cwd' | 'env'> {
  /** Gets what the program writes to file descriptor 3. */
  readonly onStatus?: (text: string) => void;
}

/** A program ended badly or is not there; `output` is its last words. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly output: string;

  constructor(command: string, how: string, output: string) {
    super(`${command} ${how}`);
    this.output = output;
  }
}

/** Runs a program without a shell and gives what it printed. Throws `CommandError`. */
export function runCommand(command: string, args: readonly string[], { onStatus, ...options }: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe', onStatus ? 'pipe' : 'ignore'] });
    let output = '';
    let errors = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-20_000)));
    child.stdio[3]?.on('data', (bytes: Buffer) => onStatus?.(bytes.toString('latin1')));
    child.on('error', () => reject(new CommandError(command, 'is not installed', '')));
    child.on('close', (code) => (code === 0 ? resolve(output) : reject(new CommandError(command, `ended with code ${code}`, errors || output.slice(-20_000)))));
  });
}

/** Calls `update` with the bytes under `folder` as a fraction of `total` until `work` is done: progress of a program that shows none. */
export async function watchFolder<T>(folder: string, total: number, update: (fraction: number) => void, work: Promise<T>): Promise<T> {
  const timer = setInterval(() => update(folderSize(folder) / total), 250);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** Bytes of all files under a folder. */
export function folderSize(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** Whether a program's last words speak of a network that is not there. */
export function isOffline(error: unknown): boolean {
  const text = error instanceof CommandError ? error.output : '';
  return /ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|Temporary failure|Could not resolve|NewConnectionError|Could not connect|No matching distribution/i.test(
    text,
  );
}
