/** The engine in a process of its own behaves like the one in this process, and never outlives what needs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEngine } from '../../../runtime/engine.ts';
import { openEngine } from '../../../runtime/index.ts';
import type { Engine, EngineOptions, OpenProgress } from '../../../runtime/types.ts';
import { run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';

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

test('a killed process: `failed` resolves, running and later requests throw engine_stopped', async () => {
  const { engine, pid } = await openWithPid();
  const running = [...[1, 2].map(() => codeOf(run(engine, prompts.len7.ids, { maxTokens: 480 }))), codeOf(engine.checkZeroed())];
  await new Promise((resolve) => setTimeout(resolve, 30));
  process.kill(pid, 'SIGKILL');
  expect(await engine.failed).toMatchObject({ code: 'engine_stopped' });
  expect(await Promise.all(running)).toEqual(['engine_stopped', 'engine_stopped', 'engine_stopped']);
  expect(await codeOf(run(engine, [1], { maxTokens: 1 }))).toBe('engine_stopped');
  expect(await codeOf(engine.checkZeroed())).toBe('engine_stopped');
  await engine[Symbol.asyncDispose]();
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
    await once(parent.stdout as NonNullable<typeof parent.stdout>, 'data');
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
