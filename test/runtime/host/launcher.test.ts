/** What the launcher lets the engine's process do, tried by a process that it starts in its place. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { chooseDriver } from '../../../runtime/drivers.ts';
import { launchEngine } from '../../../runtime/host/launcher.ts';
import { findPython, type Launched } from '../../../runtime/launch.ts';
import type { Answer, Question } from './probe-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-locked-'));
const modelPath = join(folder, 'model.gguf');
const tuningFile = join(folder, 'tuning.json');
const neighbour = join(folder, 'neighbour.gguf');
const program = { file: new URL('./probe-process.ts', import.meta.url), reads: [import.meta.dirname] };
const source = fileURLToPath(new URL('../../../runtime/host/process.ts', import.meta.url));
const kernels = fileURLToPath(new URL('../../../kernels/', import.meta.url));
const papers = fileURLToPath(new URL('../../../README.md', import.meta.url));

beforeAll(() => {
  for (const path of [modelPath, tuningFile, neighbour]) writeFileSync(path, 'x');
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the probe as an engine with this model would be, and asks it. */
async function probe(
  options: { readonly tune?: 'quick'; readonly keepsNothing?: boolean; readonly writes?: readonly string[] } = {},
): Promise<Answer & { coreLimit: string | undefined }> {
  const { writes = [], ...others } = options;
  const launched = launchEngine({ modelPath, tuningFile, ...others }, chooseDriver('auto'), program);
  const { process: child, link } = launched as unknown as Launched<Question, Answer>;
  try {
    const reads = [modelPath, tuningFile, source, kernels, neighbour, '/etc/hostname', papers, `${homedir()}/`, `${tmpdir()}/`];
    const { promise, resolve } = Promise.withResolvers<Answer>();
    link.listen({ message: resolve });
    link.send({ reads, writes: [join(folder, 'new'), modelPath, tuningFile, join(tmpdir(), 'inward-probe'), ...writes] });
    const findings = await promise;
    const coreLimit = /Max core file size\s+(\S+)/.exec(readFileSync(`/proc/${child.pid}/limits`, 'utf8'))?.[1];
    return { ...findings, coreLimit };
  } finally {
    child.kill('SIGKILL');
  }
}

const denied = 'ERR_ACCESS_DENIED';

test('reads the model and its own sources only, writes nothing, starts nothing; once locked it reads nothing', async () => {
  expect(existsSync('/etc/hostname')).toBe(true);
  const { before, after, coreLimit } = await probe();
  const allowed = [modelPath, source, kernels].map((path) => `read ${path}`);
  const { code, connect, ...tried } = before;
  expect(Object.keys(tried).length).toBe(9 + 2 * 4 + 2);
  expect(tried).toEqual(Object.fromEntries(Object.keys(tried).map((name) => [name, allowed.includes(name) ? 'done' : denied])));
  expect(code).not.toBe('done');
  const { code: _, connect: __, ...later } = after;
  expect(later).toEqual(Object.fromEntries(Object.keys(later).map((name) => [name, denied])));
  expect(coreLimit).toBe('0');
});

test('reads the file of measurements where kernels are to be measured', async () => {
  const { before } = await probe({ tune: 'quick' });
  expect(before[`read ${tuningFile}`]).toBe('done');
  expect(before[`write ${tuningFile}`]).toBe(denied);
});

test('may write the cache of compiled code while it starts, where the command keeps one, and nothing later', async () => {
  const cache = join(folder, 'code');
  mkdirSync(cache);
  vi.stubEnv('NODE_COMPILE_CACHE', cache);
  const { before, after } = await probe();
  expect(before[`write ${join(folder, 'new')}`]).toBe(denied);
  expect(after[`read ${source}`]).toBe(denied);
});

test('one that keeps nothing: the kernel lets it write not even that cache, and tells drivers to keep none of their own', async (context) => {
  if (findPython() === undefined) return context.skip('needs Linux with Python 3 at /usr/bin or /usr/local/bin');
  const cache = join(folder, 'nothing');
  const path = join(cache, 'file');
  mkdirSync(cache);
  vi.stubEnv('NODE_COMPILE_CACHE', cache);
  const open = await probe({ writes: [path] });
  const strict = await probe({ writes: [path], keepsNothing: true });
  // Node's permission model lets both.
  expect([open.before[`write ${path}`], open.after[`write ${path}`]]).toEqual(['done', denied]);
  expect(['EACCES', 'EROFS']).toContain(strict.before[`write ${path}`]);
  const names = ['MESA_SHADER_CACHE_DISABLE', '__GL_SHADER_DISK_CACHE'];
  expect([open, strict].map(({ environment }) => names.filter((name) => environment.includes(name)))).toEqual([[], names]);
});

test('opens no socket, which Node alone would let it', async (context) => {
  if (findPython() === undefined) return context.skip('needs Linux with Python 3 at /usr/bin or /usr/local/bin');
  const { before, after } = await probe();
  expect([before['connect'], after['connect']]).toEqual(['EPERM', 'EPERM']);
});

test('gets what drivers go by from the environment, and neither secrets nor options of Node', async () => {
  vi.stubEnv('INWARD_API_KEY', 'secret');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('NODE_OPTIONS', '--allow-child-process');
  vi.stubEnv('VK_LOADER_DEBUG', 'none');
  const { environment, before } = await probe();
  expect(environment).toEqual(expect.arrayContaining(['VK_DRIVER_FILES', 'MESA_SHADER_CACHE_DIR', 'HOME', 'VK_LOADER_DEBUG']));
  for (const name of ['INWARD_API_KEY', 'AWS_SECRET_ACCESS_KEY', 'NODE_OPTIONS']) expect(environment).not.toContain(name);
  expect(before['spawn']).toBe(denied);
});
