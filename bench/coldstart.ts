/**
 * Owns the cold start as a user meets it: from the start of `inward run` to the first text on its standard output, with the model, the
 * drivers and Node's code in the system's cache. The driver's cache of compiled kernels is as it is, or empty.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../runtime/drivers.ts';
import { PeerError } from './child.ts';

const command = join(import.meta.dirname, '..', 'bin', 'inward.mjs');
/** In ms; a driver with an empty cache compiles for up to minutes. */
const deadlineMs = 600_000;

export interface ColdStart {
  readonly model: string;
  readonly device: string;
  /** Compile every kernel anew, and measure which are fastest. */
  readonly isEmpty: boolean;
}

/** In ms. Throws PeerError where the model answers no text, for instance because its file has no tokenizer. */
export async function measureColdStart(options: ColdStart): Promise<number> {
  if (!options.isEmpty) return timeFirstText(options, {});
  const folder = mkdtempSync(join(tmpdir(), 'inward-bench-'));
  try {
    const cache = cacheFolder();
    const names = existsSync(cache) ? readdirSync(cache) : [];
    // Neither compiled kernels nor what was measured: the first start ever, but for downloads.
    for (const name of names) if (name !== 'kernels' && name !== 'tuning.json') symlinkSync(join(cache, name), join(folder, name));
    return await timeFirstText(options, { INWARD_CACHE: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function timeFirstText({ model, device }: ColdStart, environment: Readonly<Record<string, string>>): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const started = performance.now();
  const child = spawn(process.execPath, [command, 'run', '--model', model, '--device', device, '--temperature', '0', '--max-tokens', '1', '-'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
    timeout: deadlineMs,
  });
  let firstMs: number | undefined;
  child.stdout.on('data', () => {
    firstMs ??= performance.now() - started;
  });
  child.on('error', () => reject(new PeerError('it could not be started')));
  child.on('close', (code, signal) =>
    firstMs === undefined ? reject(new PeerError(`it ended without a word (${signal ?? `exit code ${code}`})`)) : resolve(firstMs),
  );
  child.stdin.on('error', () => undefined); // it may have ended
  child.stdin.end('Hello');
  return promise;
}
