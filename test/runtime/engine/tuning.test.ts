/** An engine that measures its kernels: what it computes stays the same, what it found is kept, nothing stays behind. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { hashKernels } from '../../../kernels/compose.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { readTuning } from '../../../runtime/index.ts';
import { tuningKey } from '../../../runtime/tuner.ts';
import { writeTuningFile } from '../../../runtime/tuning/file.ts';
import type { Engine, EngineOptions, OpenProgress, TunedDevice } from '../../../runtime/types.ts';
import { DeviceWatch } from '../../device-watch.ts';
import { firstDifference, run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { promptNames, readOracle } from '../../oracle.ts';

const oracle = readOracle('gguf_llama_q4_1');
const folder = mkdtempSync(join(tmpdir(), 'inward-tuner-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tuningFile = join(folder, 'tuning.json');
const open = (options: Partial<EngineOptions> = {}): Promise<Engine> =>
  createEngine({ modelPath: oracle.modelPath, device: testDevice(), contextLength: 512, kvTokens: 4096, tuningFile, ...options });
const isWide = ({ info }: Engine): boolean => info.tuning.shapes.some(({ builtIn }) => builtIn.some((tile) => tile.endsWith('/wide')));
const deviceOf = (engine: Engine): TunedDevice => {
  const { device: name, adapter, subgroupSize } = engine.info;
  return { name, adapter, subgroupSize, family: isWide(engine) ? 'wide' : 'narrow' };
};

/** Logits of every prompt position and of eight tokens, for sequences that run alone and then together. */
async function collect(engine: Engine): Promise<{ alone: Float32Array[][]; together: Float32Array[][] }> {
  const prompts = promptNames.filter((name) => name !== 'long').map((name) => oracle.prompts[name].ids);
  const request = { maxTokens: 8, logits: 'all' } as const;
  const alone: Float32Array[][] = [];
  for (const ids of prompts) alone.push((await run(engine, ids, request)).logits);
  const together = await Promise.all([...prompts, prompts[0] ?? []].map((ids) => run(engine, ids, request)));
  return { alone, together: together.map(({ logits }) => logits) };
}

/** A choice that shares no tile with the built-in one where there is another. */
function pickOthers(candidates: readonly string[], builtIn: readonly string[]): string[] {
  const counts = [...new Set(candidates.map((tile) => Number(/\d+/.exec(tile)?.[0])))];
  return counts.map((tokens) => {
    const rivals = candidates.filter((tile) => tile.startsWith(`t${tokens}q`));
    return rivals.find((tile) => !builtIn.includes(tile)) ?? rivals[0] ?? '';
  });
}

// SwiftShader compiles each tile for seconds and keeps none.
const patience = 900_000;

test('measured, read back and forced tiles: the same bits as the built-in ones, alone and in batches of up to eight', { timeout: patience }, async () => {
  await using plain = await open();
  expect(plain.info.tuning).toMatchObject({ source: 'built-in' });
  expect(existsSync(tuningFile)).toBe(false);
  const expected = await collect(plain);
  // Alone or beside others: no matter. The first one runs twice.
  expect(expected.together.map((logits, i) => firstDifference(logits, expected.alone[i] ?? expected.alone[0] ?? []))).toEqual(
    expected.together.map(() => undefined),
  );

  const seen: OpenProgress[] = [];
  await using measured = await open({ tune: 'complete', onProgress: (progress) => seen.push(progress) });
  const { tuning } = measured.info;
  expect(tuning).toMatchObject({ source: 'measured', file: tuningFile });
  expect(tuning.notice).toBeUndefined();
  expect([...new Set(seen.map(({ part }) => part))]).toEqual(['weights', 'tuning', 'kernels']);
  for (const { isMeasured, candidates, times } of tuning.shapes) {
    expect(isMeasured).toBe(true);
    for (const tile of candidates.filter((name) => candidates.filter((other) => other.slice(0, 3) === name.slice(0, 3)).length > 1))
      expect(times.some((time) => time.tile === tile && time.ms > 0)).toBe(true);
  }
  await compareWith(measured, expected);

  // Every shape with other tiles than the built-in ones.
  const others = Object.fromEntries(tuning.shapes.map(({ shape, candidates, builtIn }) => [shape, { chosen: pickOthers(candidates, builtIn), times: [] }]));
  writeTuningFile(tuningFile, tuningKey(deviceOf(measured)), others);
  const written = statSync(tuningFile).mtimeMs;
  await using forced = await open({ tune: 'quick' });
  expect(forced.info.tuning.source).toBe('stored');
  for (const { shape, chosen, builtIn } of forced.info.tuning.shapes) {
    expect(chosen).toEqual(others[shape]?.chosen);
    // A GPU has one tile for each number of tokens.
    if (!isWide(forced)) expect(chosen).not.toEqual(builtIn);
  }
  await compareWith(forced, expected);
  // A start that finds everything writes nothing.
  expect(statSync(tuningFile).mtimeMs).toBe(written);
});

async function compareWith(engine: Engine, expected: Awaited<ReturnType<typeof collect>>): Promise<void> {
  const found = await collect(engine);
  for (const way of ['alone', 'together'] as const)
    for (const [i, logits] of found[way].entries()) expect(firstDifference(logits, expected[way][i] ?? []), `${way} ${i}`).toBeUndefined();
}

test('from the header alone: the shapes and choices that the engine has', { timeout: patience }, async () => {
  await using engine = await open({ tune: 'quick' });
  const { shapes } = await readTuning({ modelPath: oracle.modelPath, tuningFile }, deviceOf(engine));
  expect(shapes).toEqual(engine.info.tuning.shapes);
  // Where subgroups are too small for int8 it is the same work.
  if (engine.info.subgroupSize < 8) return;
  const int8 = await readTuning({ modelPath: oracle.modelPath, tuningFile, activations: 'int8' }, deviceOf(engine));
  expect(int8.source).toBe('built-in');
  expect(int8.shapes.every(({ isMeasured }) => !isMeasured)).toBe(true);
});

test('the KV pool is zero when a measured engine is ready, and no buffer of the tuner is left', { timeout: patience }, async () => {
  using watch = new DeviceWatch();
  await using plain = await open();
  await using measured = await open({ tune: 'anew', tuningFile: join(folder, 'other.json') });
  const { used, total } = await watch.readKv();
  expect([used, total > 0]).toEqual([0, true]);
  expect(measured.stats().memory).toEqual(plain.stats().memory);
  expect(measured.stats().kvBlocksFree).toBe(measured.stats().kvBlocksTotal);
});

test('a file that is not ours: one sentence, the engine measures and writes it anew; nothing in it is of a request', { timeout: patience }, async () => {
  const path = join(folder, 'broken.json');
  writeFileSync(path, 'no JSON');
  await using engine = await open({ tune: 'quick', tuningFile: path });
  expect(engine.info.tuning).toMatchObject({ source: 'measured', notice: `The tuning file ${path} is ignored: it is not JSON.` });
  const before = readFileSync(path, 'utf8');
  await run(engine, oracle.prompts.len7.ids, { maxTokens: 4 });
  expect(readFileSync(path, 'utf8')).toBe(before);
  const content = JSON.parse(before) as { devices: Record<string, { kernels: string; shapes: Record<string, unknown> }> };
  const [device] = Object.values(content.devices);
  expect(device?.kernels).toBe(hashKernels());
  // 361 ids are the vocabulary; the shapes are those of the model's header.
  expect(Object.keys(device?.shapes ?? {}).toSorted()).toEqual(engine.info.tuning.shapes.map(({ shape }) => shape).toSorted());
});
