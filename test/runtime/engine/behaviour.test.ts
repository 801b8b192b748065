/** What an engine does with requests, on a tiny model: abort, preemption, seeds, refusals, and what it leaves behind. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../runtime/engine.ts';
import type { Engine, EngineOptions, EngineStats, GenerateRequest } from '../../../runtime/types.ts';
import { DeviceWatch } from '../../device-watch.ts';
import { run } from '../../engine-run.ts';
import { collectGarbage } from '../../garbage.ts';
import { testDevice } from '../../gpu.ts';
import { promptNames, readOracle } from '../../oracle.ts';

const oracle = readOracle('gguf_llama_q4_1');
const { len1, len7, len33, long, batch1, batch2 } = oracle.prompts;
// One configuration wherever it is not the point: a driver compiles the kernels of each anew.
const open = (options: Partial<EngineOptions> = {}): Promise<Engine> =>
  createEngine({ modelPath: oracle.modelPath, device: testDevice(), contextLength: 512, kvTokens: 4096, ...options });

/** Waits until no block is taken; the engine steps once more to zero those of the last sequence. */
async function untilIdle(engine: Engine): Promise<void> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const { running, waiting, kvBlocksFree, kvBlocksTotal, steps } = engine.stats();
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (running + waiting === 0 && kvBlocksFree === kvBlocksTotal && engine.stats().steps === steps) return;
    if (performance.now() > deadline) throw new Error('the engine does not come to rest');
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error) => error.code,
  );
}

describe('one engine', () => {
  let engine: Engine;
  let watch: DeviceWatch;
  beforeAll(async () => {
    watch = new DeviceWatch();
    engine = await open({ queueLength: 2 });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    watch[Symbol.dispose]();
  });

  test('info and stats of an engine that has done nothing', () => {
    expect(engine.info).toMatchObject({ family: 'llama', vocabularySize: 361, contextLength: 512, maxSequences: 8, kv: 'f16', activations: 'f32' });
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, steps: 0, promptTokens: 0, generatedTokens: 0, preemptions: 0 });
    expect(engine.stats().kvBlocksFree).toBe(engine.stats().kvBlocksTotal);
  });

  test('counts are exact', async () => {
    const before = engine.stats();
    await Promise.all([
      run(engine, len33.ids, { maxTokens: 5 }),
      run(engine, len7.ids, { maxTokens: 0 }),
      run(engine, len7.ids, { maxTokens: 3, logits: 'all' }),
    ]);
    const after = engine.stats();
    expect([after.promptTokens - before.promptTokens, after.generatedTokens - before.generatedTokens]).toEqual([33 + 7 + 7, 8]);
  });

  test('times and ends: a histogram has every request or token once, cancelled and failed requests only where they came', async () => {
    const before = engine.stats();
    const abort = new AbortController();
    const aborted = engine.generate({ promptIds: len7.ids, maxTokens: 400 }, abort.signal)[Symbol.asyncIterator]();
    await aborted.next();
    abort.abort();
    await Promise.all([run(engine, len33.ids, { maxTokens: 5 }), run(engine, len7.ids, { maxTokens: 0 })]);
    expect(await codeOf(run(engine, len7.ids, { maxTokens: 400, deadlineMs: 50 }))).toBe('deadline_exceeded');
    await untilIdle(engine);
    const after = engine.stats();
    const gained = (name: keyof EngineStats['histograms']): number => {
      const sum = ({ histograms }: EngineStats): number => histograms[name].counts.reduce((a, b) => a + b, 0);
      return sum(after) - sum(before);
    };
    const ends = Object.entries(after.finished).map(([how, count]) => [how, count - before.finished[how as keyof EngineStats['finished']]]);
    expect(Object.fromEntries(ends)).toEqual({ stop: 0, length: 2, failed: 1, cancelled: 1 });
    expect(gained('endToEnd')).toBe(2);
    // The late one may have had its first token, or not even its first step.
    expect([2, 3]).toContain(gained('timeToFirstToken'));
    expect([3, 4]).toContain(gained('queueTime'));
    expect(gained('timeToFirstToken') + gained('interTokenLatency')).toBe(after.generatedTokens - before.generatedTokens);
    for (const part of ['schedule', 'submit', 'wait', 'commit'] as const) expect(after.stepMs[part]).toBeGreaterThan(before.stepMs[part]);
  });

  test('generation ends with the stop id, which is reported, or when the context is full', async () => {
    const [first = 0, second = 0] = (await run(engine, len7.ids, { maxTokens: 2 })).tokens;
    const stopped = await run(engine, len7.ids, { maxTokens: 20, stopIds: [second as never] });
    expect(stopped).toMatchObject({ tokens: [first, second], reason: 'stop' });
    const full = await run(engine, new Uint32Array(505).fill(9), { maxTokens: 1000 });
    expect([full.tokens.length, full.reason]).toEqual([7, 'length']);
  });

  test('same seed, same tokens; another seed, others; settings that leave one token are greedy', async () => {
    const sample = async (sampling: GenerateRequest['sampling']): Promise<number[]> =>
      (await run(engine, batch1.ids, { maxTokens: 24, ...(sampling ? { sampling } : {}) })).tokens;
    const greedy = await sample(undefined);
    const [first, again, other] = [
      await sample({ temperature: 1.5, seed: 1 }),
      await sample({ temperature: 1.5, seed: 1 }),
      await sample({ temperature: 1.5, seed: 2 }),
    ];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(first).not.toEqual(greedy);
    expect(await sample({ temperature: 1.5, seed: 1, topK: 1 })).toEqual(greedy);
    expect(await sample({ temperature: 1.5, seed: 1, topP: 1e-6 })).toEqual(greedy);
    expect(await sample({ temperature: 0, seed: 7, topK: 5, topP: 0.5 })).toEqual(greedy);
  });

  test('top-k and top-p keep to the likeliest tokens, and reach all of them', async () => {
    const { logits } = await run(engine, len1.ids, { maxTokens: 1, logits: 'sampled' });
    const order = Array.from(logits[0] ?? [])
      .map((logit, id) => ({ logit, id }))
      .sort((a, b) => b.logit - a.logit);
    const weights = order.map(({ logit }) => Math.exp((logit - (order[0]?.logit ?? 0)) / 2));
    const total = weights.reduce((a, b) => a + b);
    let sum = 0;
    const nucleus = weights.findIndex((weight) => (sum += weight) >= total * 0.5) + 1;
    for (const [sampling, count] of [
      [{ topK: 4 }, 4],
      [{ topP: 0.5 }, nucleus],
    ] as const) {
      const allowed = new Set(order.slice(0, count).map(({ id }) => id));
      const drawn = new Set<number>();
      for (let seed = 0; seed < 120; seed++)
        drawn.add((await run(engine, len1.ids, { maxTokens: 1, sampling: { temperature: 2, seed, ...sampling } })).tokens[0] ?? -1);
      for (const id of drawn) expect(allowed).toContain(id);
      if (count === 4) expect(drawn.size).toBe(4);
      else expect(drawn.size).toBeGreaterThan(1);
    }
  });

  test.each([
    ['prompt_empty', { promptIds: new Uint32Array(), maxTokens: 1 }],
    ['prompt_too_long', { promptIds: new Uint32Array(512), maxTokens: 1 }],
    ['prompt_too_long', { promptIds: new Uint32Array(513), maxTokens: 0 }],
    ['token_out_of_range', { promptIds: Uint32Array.of(1, 361), maxTokens: 1 }],
    ['invalid_request', { promptIds: [1, 2] as unknown as Uint32Array, maxTokens: 1 }],
    ['invalid_request', { promptIds: Uint32Array.of(1), maxTokens: -1 }],
    ['invalid_request', { promptIds: Uint32Array.of(1), maxTokens: 1.5 }],
    ['invalid_request', { promptIds: Uint32Array.of(1), maxTokens: 1, sampling: { temperature: Number.NaN } }],
    ['invalid_request', { promptIds: Uint32Array.of(1), maxTokens: 1, sampling: { topP: 0 } }],
    ['invalid_request', { promptIds: Uint32Array.of(1), maxTokens: 1, sampling: { topK: -1 } }],
    ['invalid_request', { promptIds: Uint32Array.of(1), maxTokens: 1, sampling: { seed: 2 ** 32 } }],
  ] as const)('%s', async (code, { promptIds, ...rest }) => {
    const events = engine.generate({ promptIds, ...rest });
    expect(await codeOf(events[Symbol.asyncIterator]().next())).toBe(code);
  });

  test('a prompt that fills the context is scored with maxTokens 0', async () => {
    expect(await run(engine, new Uint32Array(512).fill(9), { maxTokens: 0 })).toMatchObject({ tokens: [], reason: 'length' });
  });

  test('an abort frees the blocks within one step, and the others go on as if nothing had been', async () => {
    const abort = new AbortController();
    const other = run(engine, batch2.ids, { maxTokens: 24 });
    let seen = 0;
    const aborted = (async () => {
      for await (const event of engine.generate({ promptIds: long.ids, maxTokens: 200 }, abort.signal))
        if (event.type === 'token' && ++seen === 3) abort.abort();
    })();
    expect(await codeOf(aborted)).toBe('aborted');
    const { steps } = engine.stats();
    while (engine.stats().running > 1) await new Promise((resolve) => setImmediate(resolve));
    expect(engine.stats().steps - steps).toBeLessThanOrEqual(2);
    expect((await other).tokens).toEqual(batch2.greedy);
    expect(seen).toBe(3);
  });

  test('queue_full beyond the running and waiting places; those in the queue are served', async () => {
    const running = Array.from({ length: 10 }, () => run(engine, len7.ids, { maxTokens: 24 }));
    expect(await codeOf(run(engine, len7.ids, { maxTokens: 1 }))).toBe('queue_full');
    for (const { tokens } of await Promise.all(running)) expect(tokens).toEqual(len7.greedy);
  });

  test('KV holds data while a sequence runs and only zeros afterwards, however it ended', async () => {
    const abort = new AbortController();
    const events = engine.generate({ promptIds: long.ids, maxTokens: 300 }, abort.signal)[Symbol.asyncIterator]();
    await events.next();
    expect((await watch.readKv()).used).toBeGreaterThan(0);
    abort.abort();
    await codeOf(events.next());
    await run(engine, len33.ids, { maxTokens: 24 });
    for await (const event of engine.generate({ promptIds: len33.ids, maxTokens: 24 })) if (event.type === 'token') break;
    engine.flushPrefixes();
    await untilIdle(engine);
    const { used, total } = await watch.readKv();
    expect(total * 4).toBe(engine.info.kvBytes);
    expect(used).toBe(0);
  });

  test('an engine proves that nothing is left once all have ended, and takes requests meanwhile', async () => {
    const nothing = { kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 };
    const abort = new AbortController();
    const aborted = codeOf(run(engine, long.ids, { maxTokens: 200, logits: 'sampled' }, abort.signal));
    const ended = [len7, len33, batch1].map(({ ids }) => run(engine, ids, { maxTokens: 24, logprobs: 5 }));
    const check = engine.checkZeroed();
    while (engine.stats().running < 4) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    expect((await Promise.all(ended)).map(({ tokens }) => tokens)).toEqual([len7.greedy, len33.greedy, batch1.greedy]);
    expect(await aborted).toBe('aborted');
    const { memory } = engine.stats();
    const size = Object.keys(nothing).reduce((sum, owner) => sum + (memory[owner] ?? (owner === 'state' ? 0 : Number.NaN)), 0);
    const kept = await check;
    engine.flushPrefixes();
    const flushed = await engine.checkZeroed();
    expect([kept, flushed]).toMatchObject([nothing, nothing]);
    // Blocks of kept prefixes are not looked at, until they are flushed.
    expect(kept.words * 4).toBeLessThan(size);
    expect(flushed.words * 4).toBe(size);
    const late = [engine.checkZeroed(), engine.checkZeroed()];
    expect((await run(engine, len7.ids, { maxTokens: 24 })).tokens).toEqual(len7.greedy);
    expect(await Promise.all(late)).toMatchObject([nothing, nothing]);
  });

  test('no GPU object, no device memory and no heap per token', async () => {
    const decode = () => run(engine, len7.ids, { maxTokens: 220 });
    await decode();
    await untilIdle(engine);
    const lasting = watch.lasting;
    const memory = JSON.stringify(engine.stats().memory);
    const heaps: number[] = [];
    const [encoders, { steps }] = [watch.made['createCommandEncoder'] ?? 0, engine.stats()];
    for (let i = 0; i < 4; i++) {
      await decode();
      collectGarbage();
      heaps.push(process.memoryUsage().heapUsed);
    }
    expect(watch.lasting).toBe(lasting);
    expect(JSON.stringify(engine.stats().memory)).toBe(memory);
    // What is encoded while a step runs is what the next one takes, but for a few that turn out otherwise; and a step's words have an encoder of their own.
    const made = (watch.made['createCommandEncoder'] ?? 0) - encoders;
    expect(made / (engine.stats().steps - steps)).toBeLessThan(2.05);
    // 660 steps later.
    expect((heaps[3] ?? 0) - (heaps[0] ?? 0)).toBeLessThan(500_000);
  });
});

test('a pool too small for all: some are preempted, all get the same tokens and logits as with room', async () => {
  const request = { maxTokens: 24, logits: 'all' } as const;
  const names = promptNames.filter((name) => name !== 'long');
  await using roomy = await open({ kv: 'f32' });
  await using tight = await open({ contextLength: 64, kvTokens: 112, kv: 'f32' });
  const expected = await Promise.all(names.map((name) => run(roomy, oracle.prompts[name].ids, request)));
  const got = await Promise.all(names.map((name) => run(tight, oracle.prompts[name].ids, request)));
  expect(roomy.stats().preemptions).toBe(0);
  expect(tight.stats().preemptions).toBeGreaterThan(0);
  for (const [i, name] of names.entries()) {
    expect(expected[i]?.tokens, name).toEqual(oracle.prompts[name].greedy);
    expect(got[i], name).toEqual(expected[i]);
  }
});

test('disposing ends what runs and what waits; afterwards nothing starts', async () => {
  const engine = await open({ maxSequences: 1 });
  const running = [1, 2].map(() => codeOf(run(engine, len7.ids, { maxTokens: 400 })));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const check = codeOf(engine.checkZeroed());
  await Promise.all([engine[Symbol.asyncDispose](), engine[Symbol.asyncDispose]()]);
  expect(await check).toBe('shutting_down');
  expect(await Promise.all(running)).toEqual(['shutting_down', 'shutting_down']);
  expect(await codeOf(run(engine, len7.ids, { maxTokens: 1 }))).toBe('shutting_down');
  expect(await codeOf(engine.checkZeroed())).toBe('shutting_down');
});
