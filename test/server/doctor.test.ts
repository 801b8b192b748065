/** `inward doctor` over machines that tests make up, and a small model file that is real. */
import { copyFileSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import type { AdapterFacts } from '../../runtime/types.ts';
import type { InspectedDriver, Inspection } from '../../scripts/setup/inspect.ts';
import type { DoctorReport } from '../../server/cli/doctor/report.ts';
import { runCommand } from '../../server/cli/index.ts';
import { readOracle } from '../oracle.ts';
import { emptyMachine, FakeWorld } from './fake-world.ts';

const { modelPath } = readOracle('gguf_llama_q4_1');

const facts: AdapterFacts = {
  adapter: 'a device, Driver 1.2',
  isSoftware: true,
  requirements: [{ name: 'lanes of a subgroup', needed: 4, found: 8, isMet: true }],
  subgroupSize: 8,
  family: 'narrow',
  hasF16: false,
  bindingLimit: 2 ** 27,
  bufferLimit: 2 ** 30,
  memoryLimit: 8 * 2 ** 30,
};
const unfit: AdapterFacts = { ...facts, requirements: [{ name: 'subgroups', needed: 'subgroup operations', found: 'none', isMet: false }] };
const driver = (name: InspectedDriver['name'], found?: AdapterFacts): InspectedDriver => ({
  name,
  reason: `${name} of the test`,
  file: '/icd.json',
  ...(found && { facts: found }),
});
const working: Partial<Inspection> = {
  drivers: [driver('lavapipe', facts), driver('swiftshader', { ...facts, subgroupSize: 4 })],
  defaultModel: { ...emptyMachine.defaultModel, path: modelPath, isThere: true },
};

async function examine(machine: Partial<Inspection>, ...args: string[]): Promise<{ code: number; report: DoctorReport; world: FakeWorld }> {
  const world = new FakeWorld();
  world.inspection = { ...emptyMachine, ...machine };
  const code = await runCommand(['doctor', '--json', ...args], world);
  return { code, report: JSON.parse(world.printed) as DoctorReport, world };
}

test('a machine with everything: code 0, the best device chosen, nothing missing', async () => {
  const { code, report, world } = await examine(working);
  expect([code, report.canStart, report.missing]).toEqual([0, true, []]);
  expect(report.devices.map(({ name, state }) => [name, state])).toEqual([
    ['gpu', 'missing'],
    ['lavapipe', 'chosen'],
    ['swiftshader', 'works'],
  ]);
  expect(report.model).toMatchObject({ path: modelPath, hasChatTemplate: true, plan: { family: 'llama', fits: 'yes' } });
  expect(report.layers).toEqual(world.layers);
  // Nothing is loaded, and nothing fetched.
  expect([world.opened, world.wantedDevices]).toEqual([[], []]);
});

test('an empty machine: code 1, and for each thing that is missing where it comes from', async () => {
  const { code, report } = await examine({});
  expect([code, report.canStart]).toEqual([1, false]);
  expect(report.missing.map(({ what }) => what)).toEqual([
    'No device can be used; gpu: no GPU with a Vulkan driver.',
    'No device can be used; lavapipe: not installed, and not in the cache.',
    'No device can be used; swiftshader: not installed, and not in the cache.',
    'The default model is not at /cache/models/default.gguf.',
  ]);
  expect(report.missing.at(-1)?.remedy).toContain('SHA-256 abc');
  for (const { remedy } of report.missing) expect(remedy).toMatch(/^[A-Z].*\.$/);
});

test('a GPU without a loader, a driver without an adapter, an adapter that lacks something', async () => {
  const { report } = await examine({ ...working, lacksLoader: true, drivers: [driver('lavapipe'), driver('swiftshader', unfit)] });
  expect(report.devices).toMatchObject([
    { name: 'gpu', state: 'missing', reason: 'its driver is here, a Vulkan loader (libvulkan.so.1) is not' },
    { name: 'lavapipe', state: 'unfit', reason: 'lavapipe of the test; its driver gives no adapter' },
    { name: 'swiftshader', state: 'unfit', reason: 'swiftshader of the test; lacks subgroups: needed subgroup operations, found none' },
  ]);
  expect(report.canStart).toBe(false);
});

test('--device asks for one: another that works does not help', async () => {
  expect((await examine(working, '--device', 'swiftshader')).report.devices.map(({ state }) => state)).toEqual(['missing', 'works', 'chosen']);
  const { code, report } = await examine({ ...working, drivers: [driver('swiftshader', facts)] }, '--device', 'lavapipe');
  expect([code, report.devices.map(({ state }) => state)]).toEqual([1, ['missing', 'missing', 'works']]);
  expect(report.missing.map(({ what }) => what)).toEqual(['No device can be used; lavapipe: not installed, and not in the cache.']);
});

test('a second driver of a device is taken where the first fails', async () => {
  const { code, report } = await examine({ ...working, drivers: [driver('lavapipe'), { ...driver('lavapipe', facts), reason: 'private' }] });
  expect([code, report.devices[1]]).toEqual([0, expect.objectContaining({ state: 'chosen', reason: 'private' })]);
});

test('--model: exactly what that file takes, from its header', async () => {
  const { report } = await examine(working, '--model', modelPath, '--context', '64', '--kv-tokens', '160', '--kv', 'f32', '--max-sequences', '3');
  const { plan } = report.model ?? {};
  // 160 tokens are 10 blocks of 16, one more is kept; keys and values in 4 bytes.
  expect(plan).toMatchObject({ contextLength: 64, kvTokens: 160, kvBlocks: 11, maxSequences: 3, kv: 'f32' });
  // The model has 2 layers with 2 KV heads of length 32.
  expect(plan?.kvLayerSize).toBe(11 * 16 * 2 * 2 * 32 * 4);
  expect(plan?.kvSize).toBe(2 * (plan?.kvLayerSize ?? 0));
  expect(report.sizedFor).toEqual({ sequences: 3, contextLength: 64, kvTokens: 160 });
});

test('what does not fit: too little memory, too small a binding, and a device that does not say', async () => {
  const tight = await examine({ ...working, drivers: [driver('lavapipe', { ...facts, memoryLimit: 1000 })] });
  expect([tight.code, tight.report.model?.plan?.fits]).toEqual([1, 'no: memory']);
  expect(tight.report.missing[0]?.what).toMatch(/^Weights, KV cache and working memory take .* are free\.$/);
  const narrow = await examine({ ...working, drivers: [driver('lavapipe', { ...facts, bindingLimit: 1000 })] });
  expect([narrow.code, narrow.report.model?.plan?.fits]).toEqual([1, 'no: binding']);
  const { memoryLimit: _, ...silent } = facts;
  const gpu = await examine({ ...working, drivers: [driver('gpu', { ...silent, isSoftware: false })] });
  expect([gpu.code, gpu.report.model?.plan?.fits]).toEqual([0, 'unknown']);
});

test('sizes of known models: weights by storage, KV cache of every sequence with a full context', async () => {
  const { report } = await examine(working, '--context', '1000', '--max-sequences', '2');
  expect(report.sizedFor).toEqual({ sequences: 2, contextLength: 1000, kvTokens: 2000 });
  const llama = report.sized.find(({ name }) => name === 'Llama 3.1 8B');
  const sizeOf = (storage: string): { weightSize: number; kvSize: number; fits: string } | undefined => llama?.sizes.find((size) => size.storage === storage);
  expect(sizeOf('F32')?.weightSize).toBe(8_030_261_248 * 4);
  expect(sizeOf('F16')?.weightSize).toBe(8_030_261_248 * 2);
  // 32 codes of 4 bits, a scale and an offset of 16 bits each
  expect(sizeOf('Q4_1')?.weightSize).toBe((8_030_261_248 / 32) * 20);
  // 32 layers, K and V, 8 heads of 128, 2 bytes; 2,000 tokens are 125 blocks of 16, one more is kept
  expect(sizeOf('F16')?.kvSize).toBe(32 * 2 * 8 * 128 * 2 * 126 * 16);
  expect([sizeOf('F16')?.fits, sizeOf('Q4_1')?.fits]).toEqual(['no: memory', 'yes']);
});

test('a model that cannot be served: the sentence with its remedy', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const cut = join(folder, 'cut.gguf');
  copyFileSync(modelPath, cut);
  truncateSync(cut, 50_000);
  for (const [path, sentence] of [
    [join(folder, 'none.gguf'), /^There is no readable file at /],
    [cut, /^The GGUF file is not usable: /],
  ] as const) {
    const { code, report } = await examine(working, '--model', path);
    expect([code, report.missing[0]?.what, report.missing[0]?.remedy]).toEqual([1, 'The model cannot be served.', expect.stringMatching(sentence)]);
  }
  const world = new FakeWorld();
  world.inspection = { ...emptyMachine, ...working };
  world.openText = () => Promise.reject(new InwardError('model_unsupported', { part: 'tokenizer.ggml.model', expected: 'gpt2', found: 'llama' }));
  expect(await runCommand(['doctor'], world)).toBe(1);
  expect(world.printed).toContain('The model is not supported: tokenizer.ggml.model: expected gpt2, found llama.');
});

test('a system that Inward cannot run on', async () => {
  const { code, report } = await examine({
    ...working,
    system: { ...emptyMachine.system, node: '20.1.0', problem: 'Inward needs glibc 2.34 or newer; this system has 2.31.' },
  });
  expect(code).toBe(1);
  expect(report.missing.map(({ what }) => what)).toEqual(['Inward needs glibc 2.34 or newer; this system has 2.31.', 'Node 20.1.0 is too old.']);
});

test('for people: every section, colour only where it is wanted', async () => {
  const world = new FakeWorld();
  const cache = { folder: '/cache', models: [{ name: 'm.gguf', size: 2048 }], devices: [{ name: 'lavapipe-1', size: 3 * 2 ** 20 }] };
  world.inspection = { ...emptyMachine, ...working, cache };
  expect(await runCommand(['doctor'], world)).toBe(0);
  for (const part of [
    '4 cores usable',
    '8.0 GiB free of 16.0 GiB',
    'lavapipe    chosen',
    'a device, Driver 1.2',
    'lanes of a subgroup',
    'Llama 3.1 70B',
    'models/m.gguf  2.0 KiB',
  ])
    expect(world.printed).toContain(part);
  expect(world.printed).not.toContain('\x1b');
  expect(world.printed.endsWith('A server could start now.\n')).toBe(true);
  world.printed = '';
  world.environment = { FORCE_COLOR: '1' };
  await runCommand(['doctor'], world);
  expect(world.printed).toContain('\x1b[32mA server could start now.\x1b[39m');
});
