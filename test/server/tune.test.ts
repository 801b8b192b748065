/** `inward tune` with an engine that tests script: what is asked of it, what is shown, and what stands where nothing was measured. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { tuningKey } from '../../runtime/tuner.ts';
import { writeTuningFile } from '../../runtime/tuning/file.ts';
import type { TunedShape, Tuning } from '../../runtime/types.ts';
import { runCommand } from '../../server/cli/index.ts';
import { createStyle } from '../../server/cli/style.ts';
import { explainShape, formatTuning } from '../../server/cli/tune/table.ts';
import { oracleFolder, readOracle } from '../oracle.ts';
import { emptyMachine, FakeWorld } from './fake-world.ts';

const { modelPath } = readOracle('gguf_llama_q4_1');
const folder = mkdtempSync(join(tmpdir(), 'inward-tune-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shape: TunedShape = {
  shape: 'Q4_1 576 x 1536, f32, add',
  builtIn: ['t1q2', 't2q1', 't4q1', 't8q1'],
  chosen: ['t1q1', 't2q1', 't4q1'],
  candidates: ['t1q1', 't1q2', 't1q4', 't2q1', 't2q2', 't4q1', 't4q2', 't8q1'],
  times: [
    { tile: 't1q2', tokens: 1, ms: 0.2, usualMs: 0.2 },
    { tile: 't1q1', tokens: 1, ms: 0.15, usualMs: 0.15 },
    { tile: 't2q1', tokens: 2, ms: 0.31, usualMs: 0.31 },
    { tile: 't2q2', tokens: 2, ms: 0.3, usualMs: 0.3 },
    { tile: 't8q1', tokens: 16, ms: 2.5, usualMs: 2.5 },
    { tile: 't4q1', tokens: 16, ms: 2, usualMs: 2 },
  ],
  leastGain: 0.08,
  isMeasured: true,
};
const tuning: Tuning = { source: 'measured', isDeterministic: true, ms: 10, file: '/cache/tuning.json', shapes: [shape] };

async function tune(world: FakeWorld, ...args: string[]): Promise<number> {
  return runCommand(['tune', ...args], world);
}

describe('what is asked of the engine', () => {
  test.each([
    [[], 'complete', undefined],
    [['--force'], 'anew', undefined],
    [['--device', 'lavapipe', '--kv', 'f32'], 'complete', 'f32'],
  ] as const)('%j', async (args, mode, kv) => {
    const world = new FakeWorld({ info: { tuning } });
    expect(await tune(world, ...args)).toBe(0);
    expect(world.opened).toMatchObject([{ tune: mode, kv: kv ?? 'f16', modelPath: '/models/default.gguf' }]);
    expect(world.engine.isDisposed).toBe(true);
  });

  test('a model of its own; --no-tune is no flag of it, --force and --explain exclude each other', async () => {
    const world = new FakeWorld({ info: { tuning } });
    world.environment = { INWARD_TUNE: 'false' };
    expect(await tune(world, 'm.gguf')).toBe(0);
    expect(world.opened).toMatchObject([{ modelPath: 'm.gguf', tune: 'complete' }]);
    expect(await tune(new FakeWorld(), '--force', '--explain')).toBe(2);
    expect(await tune(new FakeWorld(), '--no-tune')).toBe(2);
  });
});

test.each([
  ['serve and run measure where nothing is known', {}, [], 'quick'],
  ['--no-tune', {}, ['--no-tune'], 'off'],
  ['the variable', { INWARD_TUNE: 'false' }, [], 'off'],
  ['the flag over the variable', { INWARD_TUNE: 'false' }, ['--tune'], 'quick'],
] as const)('%s', async (_, environment, args, mode) => {
  const world = new FakeWorld({ info: { tuning: { ...tuning, notice: 'The tuning file x is ignored: it is not JSON.' } } });
  world.environment = environment;
  expect(await runCommand(['run', ...args, '--no-deterministic', 'hello'], world)).toBe(0);
  expect(world.opened).toMatchObject([{ tune: mode, deterministic: false }]);
  expect(world.complained).toContain('The tuning file x is ignored: it is not JSON.\n');
});

test('a wrong value of the variable is named', async () => {
  const world = new FakeWorld();
  world.environment = { INWARD_TUNE: 'maybe' };
  expect(await runCommand(['run', 'hello'], world)).toBe(1);
  expect(world.complained).toBe('The environment variable INWARD_TUNE must be true or false; found "maybe".\n');
});

test('the checks of logits leave nothing in the cache', async () => {
  const world = new FakeWorld({ info: { vocabularySize: 300 } });
  await runCommand(['logits', 'm.gguf', '--ids', '1'], world);
  expect(world.opened).toMatchObject([{ tune: 'off' }]);
});

test('the table: candidates with their times, the choice, the built-in one, and why', async () => {
  const world = new FakeWorld({ info: { tuning } });
  expect(await tune(world)).toBe(0);
  for (const line of [
    'Measured now. Kept in /cache/tuning.json.',
    'Deterministic: all tiles of a shape add in one order, so no result depends on what else is in the batch.',
    '       1  t1q1  0.150  chosen',
    '       1  t1q2  0.200  built in',
    '       2  t2q1  0.310  chosen, built in',
    '      16  t8q1  2.500  built in',
    'runs with t1q1 t2q1 t4q1; built in t1q2 t2q1 t4q1 t8q1',
  ])
    expect(world.printed).toContain(`${line}\n`);
});

test('why: the gain over the built-in tile, a gain within the noise, what the time did not reach, the largest tile', () => {
  expect(explainShape(shape)).toEqual([
    '1: t1q1, the fastest; takes 25 % less than the built-in t1q2 (the time ended before t1q4)',
    '2: t2q1, built in; no other takes 8 % less',
    '4: t4q1, built in; the time ended before anything was compared',
    'from 4 on: t4q1; for 16 tokens t4q1 takes 2.000 ms, t8q1 takes 2.500 ms',
  ]);
  expect(explainShape({ ...shape, isMeasured: false, times: [] })).toEqual(['not measured']);
});

test('nothing measured: the built-in choice, said so', () => {
  const text = formatTuning(
    { source: 'built-in', isDeterministic: false, ms: 0, shapes: [{ ...shape, chosen: shape.builtIn, times: [], isMeasured: false }] },
    createStyle({ write: () => undefined }, {}),
  );
  expect(text).toContain('Nothing of this model has been measured on this device: the built-in choice runs.\n');
  expect(text).toContain('Not deterministic: tiles of a shape may add in different orders.\n');
  expect(text).toContain('runs with t1q2 t2q1 t4q1 t8q1 (built in)\n  not measured\n');
});

describe('--explain opens nothing', () => {
  const facts = {
    adapter: 'a device, Driver 1.2',
    isSoftware: true,
    requirements: [],
    subgroupSize: 8,
    hasF16: false,
    bindingLimit: 2 ** 27,
    bufferLimit: 2 ** 30,
  };
  const machine = { ...emptyMachine, drivers: [{ name: 'lavapipe', reason: 'of the test', file: '/icd.json', facts }] as const };
  const world = (): FakeWorld => Object.assign(new FakeWorld(), { inspection: machine });

  test('what the file says of this device and model, as a table and as JSON', async () => {
    vi.stubEnv('INWARD_CACHE', folder);
    const explainIt = async (): Promise<Tuning> => {
      const shown = world();
      expect(await tune(shown, modelPath, '--explain', '--json')).toBe(0);
      expect(shown.opened).toEqual([]);
      return JSON.parse(shown.printed) as Tuning;
    };
    const nothing = await explainIt();
    expect(nothing).toMatchObject({ source: 'built-in', file: join(folder, 'tuning.json') });
    const names = nothing.shapes.map(({ shape: name }) => name);
    expect(names.map((name) => name.split(', ').at(-1))).toEqual(expect.arrayContaining(['gated', 'add', 'store', 'f16 KV']));
    const name = names.find((candidate) => candidate.endsWith('add')) ?? '';
    const key = tuningKey({ name: 'lavapipe', adapter: facts.adapter, subgroupSize: 8, family: 'narrow' });
    writeTuningFile(join(folder, 'tuning.json'), key, { [name]: { chosen: ['t1q4', 't8q1'], times: [] } });
    const found = await explainIt();
    expect(found.source).toBe('stored');
    expect(found.shapes.filter(({ isMeasured }) => isMeasured)).toMatchObject([{ shape: name, chosen: ['t1q4', 't8q1'] }]);
    const doctor = world();
    await runCommand(['doctor', '--model', modelPath], doctor);
    expect(doctor.printed).toMatch(new RegExp(`${name} +t1q4 t8q1  measured`));
    vi.unstubAllEnvs();
  });

  test('of a folder of safetensors files too', async () => {
    vi.stubEnv('INWARD_CACHE', folder);
    const shown = world();
    expect(await tune(shown, oracleFolder('llama_awq'), '--explain')).toBe(0);
    expect(shown.printed).toContain('AWQ ');
    vi.unstubAllEnvs();
  });

  test('a broken file is told in one line; without a device there is an error', async () => {
    vi.stubEnv('INWARD_CACHE', folder);
    writeFileSync(join(folder, 'tuning.json'), '{');
    const shown = world();
    expect(await tune(shown, modelPath, '--explain')).toBe(0);
    expect(shown.complained).toBe(`The tuning file ${join(folder, 'tuning.json')} is ignored: it is not JSON.\n`);
    expect(shown.printed).toContain('Nothing of this model has been measured on this device');
    vi.unstubAllEnvs();
    const bare = new FakeWorld();
    expect(await tune(bare, modelPath, '--explain')).toBe(1);
    expect(bare.complained).toContain('this machine has: none');
  });
});
