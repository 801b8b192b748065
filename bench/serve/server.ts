/**
 * Owns the server under load: this project's own as a child process on a free port of loopback, or one that runs already. Refuses to outlive
 * the bench, and to read what the child logs beyond its address.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { UsageError } from '../../server/cli/options.ts';
import { ensureEvaluation } from '../../server/evaluation.ts';
import { storeFile } from '../../server/privacy/folder.ts';
import { createSecret } from '../../server/privacy/keys.ts';
import { openStore } from '../../server/privacy/store/sqlite.ts';
import { authorize } from './client.ts';

export interface ServerOptions {
  readonly model: string;
  readonly device: string;
  /** More arguments of `inward serve`. */
  readonly more: readonly string[];
  /** Folder of the program; left out, this one. */
  readonly program?: string;
}

export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  /** Of its evaluation: one for plain answers, and one for paced ones. */
  readonly key: string;
  readonly pacedKey: string;
  readonly pid: number;
}

const root = join(import.meta.dirname, '../..');
/** Opening compiles kernels, at the very first run for a minute. */
const startDeadlineMs = 600_000;
/** From the signal to the end; the server gives running requests half a minute. */
const stopDeadlineMs = 60_000;
/** For the list of models of a running server. */
const askDeadlineMs = 10_000;

/** `inward evaluate` on a site of its own, with built-in tiles. Throws UsageError with what it says of its end. */
export async function startServer({ model, device, more, program = root }: ServerOptions): Promise<RunningServer> {
  const site = mkdtempSync(join(tmpdir(), 'inward-bench-'));
  const keys = await addKeys(site);
  const args = ['evaluate', '--site', site, '--host', '127.0.0.1', '--port', '0', '--log', 'json', '--no-tune', '--model', model, '--device', device, ...more];
  // The channel tells it when the bench is gone, however that ends.
  const child = spawn(process.execPath, [join(program, 'bin/inward.mjs'), ...args], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  try {
    const port = await readPort(child);
    return { url: `http://127.0.0.1:${port}`, ...keys, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => stop(child, site) };
  } catch (error) {
    await stop(child, site);
    throw error;
  }
}

async function addKeys(site: string): Promise<Pick<RunningServer, 'key' | 'pacedKey'>> {
  await using store = await openStore(join(site, storeFile), { create: true });
  const key = await ensureEvaluation(store, site, Date.now());
  const [plain] = (await store.load()).keys;
  if (key === undefined || plain === undefined) throw new UsageError('The site of the bench has no key: expected a new folder, found one in use.');
  const { id, text, credential } = createSecret('synthetic');
  await store.addKey({ ...plain, id, credential, scopes: { ...plain.scopes, shape: 'paced' } });
  return { key, pacedKey: text };
}

/** From the log line that says so. The log is read on, and forgotten, so that its pipe never fills. */
function readPort(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const timer = setTimeout(() => reject(new UsageError(`The server was not ready within ${startDeadlineMs / 1000} s.`)), startDeadlineMs);
  let said = '';
  createInterface({ input: child.stderr as NonNullable<ChildProcess['stderr']> }).on('line', (line) => {
    const port = readListening(line);
    if (port !== undefined) resolve(port);
    // Sentences about a start that failed; log lines are objects.
    else if (!line.startsWith('{') && line.trim() !== '') said = line;
  });
  child.once('error', () => reject(new UsageError('The server could not be started.')));
  child.once('close', (code) => reject(new UsageError(`The server ended with ${code} before it was ready: ${said || 'it gave no reason'}`)));
  return promise.finally(() => clearTimeout(timer));
}

const listening = z.object({ event: z.literal('listening'), port: z.int().min(1).max(65_535) });

function readListening(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return listening.safeParse(JSON.parse(line)).data?.port;
  } catch {
    return undefined;
  }
}

async function stop(child: ChildProcess, site: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs);
    await ended;
    clearTimeout(timer);
  }
  rmSync(site, { recursive: true, force: true });
}

const models = z.object({ data: z.array(z.object({ id: z.string().min(1) })).min(1) });

/** The first model that a running server names. Throws UsageError. */
export async function readServedModel(url: string, key?: string): Promise<string> {
  const place = new URL('/v1/models', url);
  const answer = await fetch(place, { signal: AbortSignal.timeout(askDeadlineMs), headers: authorize(key) }).catch(() => undefined);
  if (answer === undefined) throw new UsageError(`Expected a server at ${url}, found none that answers; start it, or leave --url out.`);
  const result = models.safeParse(await answer.json().catch(() => undefined));
  if (!result.success) throw new UsageError(`Expected GET ${place.href} to list models (status ${answer.status}); name the model with --served-model.`);
  return result.data.data[0]?.id ?? '';
}
