/** What an engine refuses to open: always one InwardError with a whole sentence, never a crash, and the process goes on. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findDrivers } from '../../../runtime/drivers.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { InwardError } from '../../../runtime/errors.ts';
import { type DeviceName, deviceNames, type EngineOptions } from '../../../runtime/types.ts';
import { DeviceWatch } from '../../device-watch.ts';
import { run } from '../../engine-run.ts';
import { createFolder } from '../../gguf-file.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';
import { malformedCases } from '../../test-data.ts';

const folder = createFolder();
afterAll(folder.remove);
const { modelPath, prompts } = readOracle('gguf_llama_q4_1');

/** The error, and what the engine left on the device's side. */
async function refusal(options: EngineOptions): Promise<InwardError> {
  try {
    await using engine = await createEngine({ device: testDevice(), contextLength: 64, ...options });
    await run(engine, Uint32Array.of(0), { maxTokens: 1 });
  } catch (error) {
    expect(error).toBeInstanceOf(InwardError);
    const refused = error as InwardError;
    expect(refused.message).not.toMatch(/\?|undefined|\[object/);
    return refused;
  }
  throw new Error('nothing was refused');
}

const models = malformedCases().filter(({ id }) => id.startsWith('model-'));

test('the hostile models are here', () => expect(models.length).toBeGreaterThanOrEqual(14));

/** Without a vocabulary the engine can do its work; the text door refuses it (test/runtime/text). */
const isForText = (id: string) => id === 'model-missing-tokenizer.ggml.tokens';

test.each(models.filter(({ id, expect }) => expect === 'reject' && !isForText(id)))('$id: $condition', async ({ bytes }) => {
  const started = performance.now();
  const { code } = await refusal({ modelPath: folder.write(bytes) });
  expect(['gguf_invalid', 'model_unsupported']).toContain(code);
  expect(performance.now() - started).toBeLessThan(5000);
});

test('the sound one of them opens and answers', async () => {
  const ok = models.find(({ id }) => id === 'model-ok');
  await using engine = await createEngine({ device: testDevice(), modelPath: folder.write(ok?.bytes ?? Buffer.alloc(0)) });
  expect((await run(engine, Uint32Array.of(0, 1), { maxTokens: 3 })).tokens.length).toBe(3);
});

test('a file that ends early, at any place', async () => {
  const bytes = readFileSync(modelPath);
  for (const part of [0, 3, 24, 1000, 9000, bytes.length >> 1, bytes.length - 1]) {
    expect((await refusal({ modelPath: folder.write(bytes.subarray(0, part)) })).code).toBe('gguf_invalid');
  }
});

test('no file, or a folder', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'inward-test-'));
  try {
    expect((await refusal({ modelPath: join(empty, 'none.gguf') })).code).toBe('file_missing');
    expect(['file_missing', 'gguf_invalid']).toContain((await refusal({ modelPath: empty })).code);
    writeFileSync(join(empty, 'text.gguf'), 'not a model');
    expect((await refusal({ modelPath: join(empty, 'text.gguf') })).code).toBe('gguf_invalid');
  } finally {
    rmSync(empty, { recursive: true });
  }
});

test.each([
  { contextLength: 0 },
  { contextLength: 1.5 },
  { maxSequences: 0 },
  { maxSequences: 2 ** 20 },
  { kvTokens: -1 },
  { kvTokens: Number.NaN },
  { queueLength: -1 },
  { tokenBudget: 0 },
  { kv: 'f64' as 'f32' },
  { activations: 'q4' as 'f32' },
])('option out of range: %j', async (options) => {
  const error = await refusal({ modelPath, ...options });
  expect([error.code, error.fields['option']]).toEqual(['invalid_option', Object.keys(options)[0]]);
});

test('a KV pool over the memory is refused in one sentence, before anything of its size is made', async () => {
  using watch = new DeviceWatch();
  const heap = process.memoryUsage();
  const error = await refusal({ modelPath, kvTokens: 2 ** 30 });
  expect(error.code).toBe('out_of_memory');
  expect(error.message).toMatch(/^The KV cache.* needs [\d.]+ [GT]iB, and [\d.]+ [GMK]?i?B are free\. Lower --context or --max-sequences/);
  expect(watch.made['createBuffer'] ?? 0).toBe(0);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  expect(heapUsed + arrayBuffers - heap.heapUsed - heap.arrayBuffers).toBeLessThan(64 * 2 ** 20);
});

test('a device that is not here: the error lists those that are', async () => {
  const here = new Set(findDrivers().map(({ name }) => name));
  const absent = deviceNames.find((name) => !here.has(name)) ?? ('tpu' as DeviceName);
  const error = await refusal({ modelPath, device: absent });
  expect(error.code).toBe('device_missing');
  for (const name of here) expect(error.message).toContain(name);
});

test('after all that an engine opens and is right', async () => {
  await using engine = await createEngine({ modelPath, device: testDevice(), contextLength: 512, kv: 'f32' });
  expect((await run(engine, prompts.len7.ids, { maxTokens: 24 })).tokens).toEqual(prompts.len7.greedy);
});

test('memory runs out while an engine works: the request that needed more fails, the one beside it goes on', async () => {
  // A pool larger than what loading takes for a while.
  const options = { modelPath, device: testDevice(), contextLength: 64, kvTokens: 2 ** 16 };
  const request = { promptIds: prompts.len7.ids, maxTokens: 12 };
  let taken = 0;
  let expected: readonly number[] = [];
  {
    await using roomy = await createEngine(options);
    expected = (await run(roomy, request.promptIds, request)).tokens;
    taken = Object.values(roomy.stats().memory).reduce((sum, size) => sum + size, 0);
  }
  // As much as an open engine has taken, and next to nothing for the logits that are asked for.
  await using engine = await createEngine(options, { memoryLimit: taken + 64 });
  const beside = run(engine, request.promptIds, request);
  await expect(run(engine, request.promptIds, { ...request, logits: 'sampled' })).rejects.toMatchObject({ code: 'out_of_memory' });
  expect((await beside).tokens).toEqual(expected);
  expect((await run(engine, request.promptIds, request)).tokens).toEqual(expected);
});
