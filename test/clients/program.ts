/**
 * Owns how the client tests run a program: in an environment of theirs, with the addresses that it is given and nothing of the user's.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Ended {
  readonly code: number | null;
  /** What it printed on both outputs. */
  readonly output: string;
}

/** Runs a program to its end, at most for `limitMs`; `variables` are added to an environment without keys, proxies or a home. */
export async function runAlone(command: string, args: readonly string[], variables: Readonly<Record<string, string>>, limitMs: number): Promise<Ended> {
  const home = mkdtempSync(join(tmpdir(), 'inward-python-'));
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    LANG: 'C.UTF-8',
    PYTHONDONTWRITEBYTECODE: '1',
    HF_HUB_OFFLINE: '1',
    HF_DATASETS_OFFLINE: '1',
    ...variables,
  };
  try {
    const child = spawn(command, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs, killSignal: 'SIGKILL' });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
    return { code, output };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
