/**
 * Owns how the end-to-end tests start the real command, bin/inward.mjs, in a folder and with a TMPDIR of its own.
 * What it prints is kept in memory; nothing is left running.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testDevice } from '../gpu.ts';

const command = join(import.meta.dirname, '../../bin/inward.mjs');

export class Running implements AsyncDisposable {
  /** Working directory and, in it, `tmp`: the process's TMPDIR, and `site`: its agreements and keys. */
  readonly folder: string = mkdtempSync(join(tmpdir(), 'inward-e2e-'));
  readonly process: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  out = '';
  err = '';

  constructor(args: readonly string[], input?: string) {
    const temporary = join(this.folder, 'tmp');
    mkdirSync(temporary);
    this.process = spawn(process.execPath, [command, ...args], {
      cwd: this.folder,
      env: { ...process.env, TMPDIR: temporary, INWARD_LOG: 'json', INWARD_SITE: join(this.folder, 'site') },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.process.stdin?.end(input);
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.ended = new Promise((resolve) => this.process.once('close', (code, signal) => resolve(code ?? signal)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Finished {
  readonly code: number | NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. */
export async function finish(args: readonly string[], input?: string): Promise<Finished> {
  await using running = new Running(args, input);
  const code = await running.ended;
  return { code, out: running.out, err: running.err };
}

export type Server = Running & { readonly url: string; readonly key: string };

/** `inward evaluate`, which `npm start` is, on a free port, once it listens. Throws with what it printed if it ends before that. */
export async function serve(modelPath: string, ...args: readonly string[]): Promise<Server> {
  const running = new Running(['evaluate', '--port', '0', '--model', modelPath, '--device', testDevice(), ...args]);
  const url = await new Promise<string>((resolve, reject) => {
    const look = (): void => {
      const found = /^ +URL +(http:\S+)$/m.exec(running.out)?.[1];
      if (found !== undefined) resolve(found);
    };
    running.process.stdout?.on('data', look);
    running.ended.then((code) => reject(new Error(`the server ended with ${code}: ${running.err}`)));
  });
  return Object.assign(running, { url, key: readFileSync(join(running.folder, 'site', 'evaluation.key'), 'utf8').trim() });
}
