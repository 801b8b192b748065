/** What becomes of requests when the engine's process is lost. The processes are fakes; the parent's side is all real. */
import { expect, test } from 'vitest';
import { expected, ModelFile, openFake, type Started, start, until } from './fake.ts';
import { harmful } from './fake-model.ts';

const isFull = process.env['INWARD_FULL'] === '1';

/** So many tokens that the request is still running whenever the test looks. */
const endless = 1_000_000;

test('a killed process: what had begun ends, what waited gives every token once', async () => {
  using model = new ModelFile();
  await using fake = await openFake(model);
  const { engine } = fake;
  const begun = [start(engine, [1, 2], endless), start(engine, [3, 4], endless)];
  await Promise.all(begun.map((request) => request.begun));
  const waiting = [5, 6, 7, 8].map((id) => start(engine, [id, 9], 20));
  await until(() => engine.stats().waiting === 4, 'four wait');
  const before = engine.stats();
  fake.kill();
  for (const request of begun) {
    const { code, tokens } = await request.outcome;
    expect(code).toBe('engine_restarted');
    expect(tokens).toEqual(expected({ ...request, count: tokens.length }).tokens);
  }
  expect(engine.isReady).toBe(false);
  expect(engine.stats()).toMatchObject({ running: 0, waiting: 4, restarts: 0, memory: {} });
  for (const request of waiting) expect(await request.outcome).toEqual(expected(request));
  expect(engine.isReady).toBe(true);
  await until(() => engine.stats().generatedTokens >= before.generatedTokens + 80, 'counts go on');
  expect(engine.stats().steps).toBeGreaterThan(before.steps);
  expect(engine.stats()).toMatchObject({ restarts: 1, memory: { kv: 1 } });
  expect(fake.told).toEqual([
    { code: 'engine_stopped', count: 0, isReady: false },
    { code: 'engine_stopped', count: 1, isReady: true },
  ]);
});

test('a device that is lost in a step is replaced like a process', async () => {
  using model = new ModelFile();
  await using fake = await openFake(model, {}, { sendLimit: 1 });
  const running = start(fake.engine, [1], endless);
  await running.begun;
  const harm = start(fake.engine, [harmful.loseDevice], 1);
  expect((await running.outcome).code).toBe('engine_restarted');
  expect((await harm.outcome).code).toBe('engine_restarted');
  const after = start(fake.engine, [2], 5);
  expect(await after.outcome).toEqual(expected(after));
  expect(fake.told[0]).toMatchObject({ code: 'device_lost' });
  await until(() => fake.processes[0]?.signalCode === 'SIGKILL', 'the first process is gone');
});

test('a request that every process dies of is given to three of them; the others get their tokens', async () => {
  using model = new ModelFile();
  await using fake = await openFake(model);
  const harm = start(fake.engine, [harmful.exit], 1);
  expect((await harm.outcome).code).toBe('engine_restarted');
  const other = start(fake.engine, [1], 5);
  expect(await other.outcome).toEqual(expected(other));
  expect(fake.processes.length).toBe(4);
  expect(fake.engine.stats().restarts).toBe(3);
});

test('a process that stops is ended for its silence; an idle one is not', async () => {
  using model = new ModelFile();
  await using fake = await openFake(model, {}, { servingMs: 2000, sendLimit: 1 });
  const [first] = fake.processes;
  first?.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(fake.told).toEqual([]);
  first?.kill('SIGCONT');
  const running = start(fake.engine, [1], endless);
  await running.begun;
  first?.kill('SIGSTOP');
  expect((await running.outcome).code).toBe('engine_restarted');
  expect(fake.told[0]).toMatchObject({ code: 'engine_stuck' });
  // One that is busy for ever, beside one that only never answers.
  expect((await start(fake.engine, [harmful.block], 1).outcome).code).toBe('engine_restarted');
  const after = start(fake.engine, [2], 5);
  expect(await after.outcome).toEqual(expected(after));
});

test('what a process says of requests that it does not have reaches none of those that others have', async () => {
  using model = new ModelFile();
  await using fake = await openFake(model, { maxSequences: 1 });
  const ended = start(fake.engine, [1], 3);
  expect(await ended.outcome).toEqual(expected(ended));
  const harm = start(fake.engine, [harmful.speakForOthers], 3);
  expect(await harm.outcome).toEqual(expected(harm));
  const later = start(fake.engine, [2], 3);
  expect(await later.outcome).toEqual(expected(later));
});

test('while no process serves: requests wait up to the limit, can be aborted, and keep their deadline', async () => {
  using model = new ModelFile();
  await using fake = await openFake(model, { queueLength: 2 }, { firstDelayMs: 1500 });
  fake.kill();
  await until(() => !fake.engine.isReady, 'the loss is noticed');
  const abort = new AbortController();
  const aborted = start(fake.engine, [1], 5, {}, abort.signal);
  const late = start(fake.engine, [2], 5, { deadlineMs: 200 });
  const waiting = [3, 4].map((id) => start(fake.engine, [id], 5));
  expect((await start(fake.engine, [5], 5).outcome).code).toBe('queue_full');
  expect((await start(fake.engine, [], 5).outcome).code).toBe('prompt_empty');
  abort.abort();
  expect((await aborted.outcome).code).toBe('aborted');
  expect((await late.outcome).code).toBe('deadline_exceeded');
  expect(fake.engine.isReady).toBe(false);
  expect(fake.engine.stats().waiting).toBe(2);
  for (const request of waiting) expect(await request.outcome).toEqual(expected(request));
});

test('the embedder may overwrite his prompt as soon as the request is queued', async () => {
  using model = new ModelFile();
  await using fake = await openFake(model, {}, { firstDelayMs: 300 });
  fake.kill();
  await until(() => !fake.engine.isReady, 'the loss is noticed');
  const promptIds = Uint32Array.of(1, 2, 3);
  const events = fake.engine.generate({ promptIds, maxTokens: 1 })[Symbol.asyncIterator]();
  const first = events.next();
  promptIds.fill(0);
  const [id] = expected(start(fake.engine, [1, 2, 3], 1)).tokens;
  expect((await first).value).toEqual({ type: 'token', id });
});

test('an end of the next process while it opens is one more failure, and the one after it serves', async () => {
  using model = new ModelFile({ opening: 'good' });
  await using fake = await openFake(model, {}, { firstDelayMs: 100 });
  model.write({ opening: 'exit' });
  fake.kill();
  const waiting = start(fake.engine, [1], 5);
  await until(() => fake.processes.length === 3, 'a third process');
  model.write({ opening: 'good' });
  expect(await waiting.outcome).toEqual(expected(waiting));
  expect(fake.engine.stats().restarts).toBe(1);
});

for (const [opening, code] of [
  ['exit', 'engine_stopped'],
  ['out_of_memory', 'out_of_memory'],
  ['silence', 'engine_stuck'],
] as const)
  test(`gives up after the failures that it may have: ${opening}`, async () => {
    using model = new ModelFile();
    await using fake = await openFake(model, {}, { failureLimit: 3, openingMs: 3000 });
    const begun = start(fake.engine, [1], endless);
    await begun.begun;
    const waiting = [start(fake.engine, [2], endless), start(fake.engine, [3], 5)];
    model.write({ opening });
    fake.kill();
    expect((await begun.outcome).code).toBe('engine_restarted');
    expect(await fake.engine.failed).toMatchObject({ code });
    for (const request of waiting) expect(['engine_restarted', code]).toContain((await request.outcome).code);
    expect((await start(fake.engine, [4], 5).outcome).code).toBe(code);
    expect(fake.processes.length).toBe(3);
    expect(fake.engine.isReady).toBe(false);
  });

for (const [name, change] of [
  ['another model', (model: ModelFile) => model.write({ fingerprint: 'b' })],
  ['a broken file', (model: ModelFile) => model.write({ opening: 'gguf_invalid' })],
] as const)
  test(`${name} in place of the one that was opened: model_changed, at once`, async () => {
    using model = new ModelFile();
    await using fake = await openFake(model);
    change(model);
    fake.kill();
    expect(await fake.engine.failed).toMatchObject({ code: 'model_changed', fields: { path: model.path } });
    expect(fake.processes.length).toBe(2);
    expect((await start(fake.engine, [4], 5).outcome).code).toBe('model_changed');
  });

for (const [when, delay, opening] of [
  ['waits to start', 60_000, 'good'],
  ['opens', 5, 'silence'],
] as const)
  test(`disposed while the next process ${when}: what waits ends, no process is left`, async () => {
    using model = new ModelFile();
    const fake = await openFake(model, {}, { firstDelayMs: delay, longestDelayMs: 60_000 });
    model.write({ opening });
    fake.kill();
    await until(() => !fake.engine.isReady && fake.processes.length === (opening === 'good' ? 1 : 2), 'the loss');
    const waiting = start(fake.engine, [1], 5);
    await fake[Symbol.asyncDispose]();
    expect((await waiting.outcome).code).toBe('shutting_down');
    for (const { exitCode, signalCode } of fake.processes) expect(exitCode ?? signalCode).not.toBe(null);
    expect((await start(fake.engine, [1], 5).outcome).code).toBe('shutting_down');
  });

/** Whole numbers below `limit`, the same for the same seed (Lehmer). */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
}

test(`${isFull ? 20 : 3} crashes in a row under load: every request ends, with its own tokens, once each`, async () => {
  const crashes = isFull ? 20 : 3;
  const random = createRandom(20_251);
  using model = new ModelFile();
  await using fake = await openFake(model, { queueLength: 1000 }, { failureLimit: crashes + 2 });
  const requests: (Started & { readonly isAborted: () => boolean })[] = [];
  let last = fake.engine.stats();
  for (let crash = 0; crash < crashes; crash++) {
    for (let i = 0; i < 8; i++) {
      const abort = new AbortController();
      const prompt = Array.from({ length: 1 + random(5) }, () => random(800));
      const request = start(fake.engine, prompt, 1 + random(60), {}, abort.signal);
      requests.push({ ...request, isAborted: () => abort.signal.aborted });
      if (random(4) === 0) setTimeout(() => abort.abort(), random(200));
      await new Promise((resolve) => setTimeout(resolve, random(20)));
    }
    await until(() => fake.engine.isReady, 'a process serves');
    await new Promise((resolve) => setTimeout(resolve, random(100)));
    fake.kill();
    await until(() => fake.processes.length === crash + 2, 'the next process');
    const stats = fake.engine.stats();
    for (const count of ['steps', 'generatedTokens', 'restarts'] as const) expect(stats[count]).toBeGreaterThanOrEqual(last[count]);
    last = stats;
  }
  for (const request of requests) {
    const { code, tokens } = await request.outcome;
    const all = expected(request).tokens;
    expect(tokens).toEqual(all.slice(0, tokens.length));
    if (code === 'end') expect(tokens.length).toBe(all.length);
    else expect(request.isAborted() ? ['aborted', 'engine_restarted'] : ['engine_restarted']).toContain(code);
  }
  expect(fake.engine.stats().restarts).toBe(crashes);
  await until(() => fake.engine.stats().running + fake.engine.stats().waiting === 0, 'nothing is left');
});
