/** Owns how tests run an example: as a process, with a key and what it printed. */
import { spawn } from 'node:child_process';

export interface ScriptEnd {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function startScript(path: string, args: readonly string[], key: string): Promise<ScriptEnd> {
  const child = spawn(process.execPath, [path, ...args], { env: { ...process.env, INWARD_API_KEY: key }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => resolve({ code, out, err })));
}
