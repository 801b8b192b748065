/** The engine in a process of its own behaves like the one in this process, and never outlives what needs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEngine } from '../../../runtime/engine.ts';
import { openHostedEngine } from '../../../runtime/host/host.ts';
import { launchEngine } from '../../../runtime/host/launcher.ts';
import { openEngine } from '../../../runtime/index.ts';
import type { Engine, EngineOptions, EngineRestart, OpenProgress } from '../../../runtime/types.ts';
import { run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { oracleFolder, readFolderOracle, readOracle } from '../../oracle.ts';

const { modelPath, prompts } = readOracle('gguf_llama_q4_1');
const options: EngineOptions = { modelPath, device: testDevice(), contextLength: 512 };

/** Processes whose parent is `pid`, from /proc. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(/\) \S+ (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]) === pid;
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);
}

/** A zombie has ended: its parent has only not asked yet. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function until(condition: () => boolean, limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Opens an engine and finds its process. */
async function openWithPid(): Promise<{ engine: Engine; pid: number }> {
  const before = new Set(childrenOf(process.pid));
  const engine = await openEngine(options);
  const pid = childrenOf(process.pid).find((child) => !before.has(child));
  if (pid === undefined) throw new Error('the engine has no process');
  return { engine, pid };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error) => error.code,
  );
}

test('same info, tokens, logits and errors as in this process; its own end with dispose', async () => {
  const { engine, pid } = await openWithPid();
  await using local = await createEngine(options);
  expect({ ...engine.info, loadMs: 0 }).toEqual({ ...local.info, loadMs: 0 });
  const request = { maxTokens: 24, logits: 'all' } as const;
  for (const name of ['len7', 'batch1'] as const) expect(await run(engine, prompts[name].ids, request)).toEqual(await run(local, prompts[name].ids, request));
  for (const ids of [[], [361], new Uint32Array(600)])
    expect(await codeOf(run(engine, ids, { maxTokens: 1 }))).toBe(await codeOf(run(local, ids, { maxTokens: 1 })));
  await until(() => engine.stats().generatedTokens === local.stats().generatedTokens && engine.stats().running === 0);
  expect(engine.stats()).toMatchObject({ promptTokens: local.stats().promptTokens, kvBlocksFree: local.stats().kvBlocksFree });
  await Promise.all([engine[Symbol.asyncDispose](), engine[Symbol.asyncDispose]()]);
  expect(isAlive(pid)).toBe(false);
  expect(await codeOf(run(engine, [1], { maxTokens: 1 }))).toBe('shutting_down');
});

test('abort and leaving the loop reach the process', async () => {
  await using engine = await openEngine(options);
  const abort = new AbortController();
  const events = engine.generate({ promptIds: prompts.len7.ids, maxTokens: 400 }, abort.signal)[Symbol.asyncIterator]();
  await events.next();
  abort.abort();
  expect(await codeOf(events.next())).toBe('aborted');
  for await (const event of engine.generate({ promptIds: prompts.len7.ids, maxTokens: 400 })) if (event.type === 'token') break;
  await until(() => engine.stats().running === 0 && engine.stats().kvBlocksFree === engine.stats().kvBlocksTotal);
  expect(engine.stats().generatedTokens).toBeLessThan(400);
  const { words, ...residue } = await engine.checkZeroed();
  expect(residue).toEqual({ kv: 0, activations: 0, logits: 0, staging: 0, batch: 0 });
  expect(words * 4).toBeGreaterThan(engine.info.kvBytes);
});

/** A request that says when it has begun. */
function begin(engine: Engine, ids: Uint32Array, maxTokens: number): { begun: Promise<void>; code: Promise<string> } {
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const code = codeOf(
    (async () => {
      for await (const event of engine.generate({ promptIds: ids, maxTokens })) if (event.type === 'token') resolve();
    })(),
  );
  return { begun, code };
}

test('a killed process: what had begun ends with engine_restarted, what waited gives the tokens of an undisturbed run', async () => {
  const before = new Set(childrenOf(process.pid));
  const told: EngineRestart[] = [];
  await using engine = await openEngine({ ...options, maxSequences: 2, onRestart: (restart) => told.push(restart) });
  const pid = childrenOf(process.pid).find((child) => !before.has(child)) ?? 0;
  const expected = await run(engine, prompts.len7.ids, { maxTokens: 12 });
  const begun = [1, 2].map(() => begin(engine, prompts.batch1.ids, 480));
  await Promise.all(begun.map((request) => request.begun));
  const waiting = [1, 2].map(() => run(engine, prompts.len7.ids, { maxTokens: 12 }));
  await until(() => engine.stats().waiting === 2);
  const { generatedTokens, steps } = engine.stats();
  process.kill(pid, 'SIGKILL');
  expect(await Promise.all(begun.map(({ code }) => code))).toEqual(['engine_restarted', 'engine_restarted']);
  expect(engine.isReady).toBe(false);
  expect(engine.stats()).toMatchObject({ running: 0, waiting: 2, restarts: 0, memory: {} });
  expect(await Promise.all(waiting)).toEqual([expected, expected]);
  expect(engine.isReady).toBe(true);
  await until(() => engine.stats().generatedTokens >= generatedTokens + 24);
  expect(engine.stats().restarts).toBe(1);
  expect(engine.stats().steps).toBeGreaterThan(steps);
  expect(told).toEqual([
    { code: 'engine_stopped', count: 0, isReady: false },
    { code: 'engine_stopped', count: 1, isReady: true },
  ]);
});

test('a device that is lost in a step: the same, by the word of the process itself; one with a parked request is not', async () => {
  const program = { file: new URL('./losing-process.ts', import.meta.url), reads: [import.meta.dirname] };
  const processes: ChildProcess[] = [];
  const told: EngineRestart[] = [];
  await using engine = await openHostedEngine(
    { ...options, maxSequences: 1, onRestart: (restart) => told.push(restart) },
    {
      launch: (plain, driver) => {
        const started = launchEngine(plain, driver, program);
        processes.push(started.process);
        return started;
      },
      servingMs: 3000,
    },
  );
  // A reader who does not read on leaves the process nothing to do, but it says that it lives.
  const slow = engine.generate({ promptIds: prompts.batch1.ids, maxTokens: 200 })[Symbol.asyncIterator]();
  await slow.next();
  await until(() => engine.stats().parked === 1);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  expect(told).toEqual([]);
  await slow.return?.();
  const expected = await run(engine, prompts.len7.ids, { maxTokens: 12 });
  const begun = begin(engine, prompts.batch1.ids, 480);
  await begun.begun;
  const waiting = run(engine, prompts.len7.ids, { maxTokens: 12 });
  await until(() => engine.stats().waiting === 1);
  processes[0]?.kill('SIGUSR2');
  expect(await begun.code).toBe('engine_restarted');
  expect(await waiting).toEqual(expected);
  expect(told.map(({ code, isReady }) => [code, isReady])).toEqual([
    ['device_lost', false],
    ['device_lost', true],
  ]);
});

test('its few reads are enough for a folder of files, reached through a link with an awkward name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-link-'));
  try {
    const link = join(folder, 'a, b*c');
    symlinkSync(oracleFolder('llama'), link);
    await using engine = await openEngine({ ...options, modelPath: link });
    const { ids, greedy } = readFolderOracle(link).prompts.len7;
    expect((await run(engine, ids, { maxTokens: 8 })).tokens).toEqual([...greedy].slice(0, 8));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what the process measures, the parent keeps: the file is written, or a sentence says why not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-measured-'));
  try {
    const tuningFile = join(folder, 'tuning.json');
    await using measured = await openEngine({ ...options, tune: 'quick', tuningFile });
    expect(measured.info.tuning).toMatchObject({ source: 'measured', file: tuningFile });
    expect(measured.info.tuning).not.toHaveProperty('notice');
    expect(Object.keys(JSON.parse(readFileSync(tuningFile, 'utf8')).devices).length).toBe(1);
    await using stored = await openEngine({ ...options, tune: 'quick', tuningFile });
    expect(stored.info.tuning.source).toBe('stored');
    expect(stored.info.tuning.shapes).toEqual(measured.info.tuning.shapes);
    await using unkept = await openEngine({ ...options, tune: 'quick', tuningFile: join(tuningFile, 'below-a-file') });
    expect(unkept.info.tuning.notice).toContain('cannot be written');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('disposing while requests run ends them with shutting_down', async () => {
  const { engine, pid } = await openWithPid();
  const running = codeOf(run(engine, prompts.len7.ids, { maxTokens: 480 }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await engine[Symbol.asyncDispose]();
  expect(await running).toBe('shutting_down');
  expect(isAlive(pid)).toBe(false);
});

test('a refusal carries its code over, and leaves no process', async () => {
  const before = childrenOf(process.pid);
  expect(await codeOf(openEngine({ ...options, modelPath: join(import.meta.dirname, 'none.gguf') }))).toBe('file_missing');
  expect(await codeOf(openEngine({ ...options, maxSequences: 0 }))).toBe('invalid_option');
  expect(await codeOf(openEngine({ ...options, modelPath: import.meta.filename }))).toBe('gguf_invalid');
  await until(() => childrenOf(process.pid).filter(isAlive).length <= before.length);
});

test('the process ends when its parent dies, however it dies', async () => {
  const code = `
    const { openEngine } = await import(${JSON.stringify(new URL('../../../runtime/index.ts', import.meta.url).href)});
    const engine = await openEngine(${JSON.stringify(options)});
    console.log('open');
    for await (const event of engine.generate({ promptIds: Uint32Array.of(1), maxTokens: 500 })) if (event.type === 'token') console.log('token');
    setInterval(() => undefined, 1000);`;
  const parent: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await Promise.race([once(parent.stdout as NonNullable<typeof parent.stdout>, 'data'), once(parent, 'exit')]);
    const [child = 0] = childrenOf(parent.pid ?? 0);
    expect(isAlive(child)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(child));
  } finally {
    parent.kill('SIGKILL');
  }
});

test('/proc is what these tests read', () => expect(existsSync('/proc/self/stat')).toBe(true));

test('opening says how far it is: first the weights, then the kernels, both to their ends and never backwards', async () => {
  const seen: OpenProgress[] = [];
  await using _engine = await openEngine({ ...options, onProgress: (progress) => seen.push(progress) });
  const parts = seen.map(({ part }) => part);
  expect(new Set(parts)).toEqual(new Set(['weights', 'kernels']));
  expect(parts.lastIndexOf('weights')).toBeLessThan(parts.indexOf('kernels'));
  for (const part of ['weights', 'kernels']) {
    const shares = seen.filter((progress) => progress.part === part).map(({ done, total }) => done / total);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  }
  // Each kernel as it is compiled, then each step that runs them.
  expect(seen.filter(({ part }) => part === 'kernels').length).toBeGreaterThan(10);
});
