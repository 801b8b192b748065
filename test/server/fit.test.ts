/** `inward fit`: sizes by hand, verdicts with their exit codes, and what is refused. Only headers are read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCommand } from '../../server/cli/index.ts';
import { oracleFolder } from '../oracle.ts';
import { FakeWorld } from './fake-world.ts';

const config = join(import.meta.dirname, '../../models/releases/llama-3.1-8b.json');
const folder = mkdtempSync(join(tmpdir(), 'inward-fit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Answer {
  readonly room: { readonly memory: number };
  readonly fits: readonly {
    readonly storage?: string;
    readonly weightSize: number;
    readonly kvSize: number;
    readonly kvTokenSize: number;
    readonly kvTokens: number;
    readonly stateSize: number;
    readonly scratchSize: number;
    readonly totalSize: number;
    readonly largestContext: number;
    readonly fits?: boolean;
  }[];
}

async function ask(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const world = new FakeWorld();
  const code = await runCommand(['fit', ...argv], world);
  return { code, out: world.printed, err: world.complained };
}

async function sizes(...argv: string[]): Promise<Answer & { code: number }> {
  const { code, out } = await ask(...argv, '--json');
  return { code, ...(JSON.parse(out) as Answer) };
}

test('Llama 3.1 8B by hand: two bytes a parameter, 128 KiB of KV a token', async () => {
  const { code, fits } = await sizes(config, '--memory', '80GiB', '--context', '8192', '--max-sequences', '4');
  expect(code).toBe(0);
  const [bf16, , , q4] = fits;
  expect(bf16).toMatchObject({ storage: 'BF16', kvTokenSize: 131_072, kvTokens: 32_768, fits: true });
  expect((bf16?.weightSize ?? 0) / (2 * 8_030_261_248)).toBeCloseTo(1, 3);
  // Q4_K: 144 bytes for 256 numbers in a file; on the device scales of 6 bits take 16 each.
  expect((q4?.weightSize ?? 0) / (8_030_261_248 * (144 / 256))).toBeGreaterThan(1);
  expect((q4?.weightSize ?? 0) / (8_030_261_248 * (164 / 256))).toBeCloseTo(1, 2);
  // One block more than the tokens need.
  expect(bf16?.kvSize).toBe((32_768 + 16) * 131_072);
  expect(bf16?.totalSize).toBe((bf16?.weightSize ?? 0) + (bf16?.kvSize ?? 0) + (bf16?.scratchSize ?? 0));
});

test('the longest context is the longest that fits: so much fits, sixteen tokens more do not', async () => {
  const asked = [config, '--memory', '24GiB', '--max-sequences', '2'];
  const { largestContext } = (await sizes(...asked)).fits[0] ?? { largestContext: 0 };
  expect(largestContext).toBeGreaterThan(16_000);
  expect(largestContext % 16).toBe(0);
  const verdict = async (context: number) => (await sizes(...asked, '--context', String(context))).fits[0]?.fits;
  expect([await verdict(largestContext), await verdict(largestContext + 16)]).toEqual([true, false]);
});

test('a model of 512 experts in 48 layers is sized in seconds', async () => {
  // Of the processor, not of the clock: other processes may have it meanwhile. Looking at every expert takes three times as long.
  const started = process.cpuUsage();
  const { fits } = await sizes(join(import.meta.dirname, '../../models/releases/qwen3-next-80b-a3b.json'), '--memory', '80GiB');
  expect(process.cpuUsage(started).user / 1e6).toBeLessThan(3);
  expect((fits[0]?.weightSize ?? 0) / (2 * 79_674_391_296)).toBeCloseTo(1, 3);
});

test('q8 takes a little more than half the KV cache of f16', async () => {
  const [f16, q8] = await Promise.all(['f16', 'q8'].map(async (kv) => (await sizes(config, '--memory', '80GiB', '--kv', kv)).fits[0]?.kvTokenSize ?? 0));
  // 128 numbers of a head: 128 bytes and a factor, which has a vector of 16 bytes with that of its values.
  expect((q8 ?? 0) / (f16 ?? 1)).toBeCloseTo((128 + 8) / 256, 4);
});

test('Qwen3.5 27B by hand: recurrent state of each sequence in three layers of four, beside the KV cache of the others', async () => {
  const hybrid = join(import.meta.dirname, '../../models/releases/qwen3.5-27b.json');
  // In each of 48 layers 48 matrices of 128 x 128, and three rows of 2 * 16 * 128 + 48 * 128 channels.
  const state = 48 * (48 * 128 * 128 + 3 * 10_240) * 4;
  const asked = [hybrid, '--memory', '80GiB', '--context', '4096'];
  const [one, eight] = await Promise.all(['1', '8'].map(async (count) => (await sizes(...asked, '--max-sequences', count)).fits[0]));
  expect([one?.stateSize, eight?.stateSize]).toEqual([state, 8 * state]);
  expect(one?.totalSize).toBe((one?.weightSize ?? 0) + (one?.kvSize ?? 0) + (one?.scratchSize ?? 0) + state);
  expect((await ask(...asked)).out).toMatch(/KV cache +state +working/);
});

test('nothing of a model fits: exit code 1, context 0', async () => {
  const { code, fits } = await sizes(config, '--memory', '1GiB');
  expect(code).toBe(1);
  expect(fits.map(({ fits: isFit, largestContext }) => [isFit, largestContext])).toEqual(fits.map(() => [false, 0]));
});

test('a folder with weights is one row; without a device that says its memory the verdict is not known', async () => {
  const { code, out } = await ask(oracleFolder('llama'));
  expect(code).toBe(1);
  expect(out).toMatch(/not known +name --memory/);
  const { fits } = await sizes(oracleFolder('llama'), '--memory', '1GiB');
  expect(fits).toHaveLength(1);
});

test.each([
  ['a size without unit', [config, '--memory', '80'], 2, 'a size with its unit'],
  ['a family that is not known', [write('mamba.json', { model_type: 'mamba' })], 1, 'config.json model_type'],
  ['no JSON', [write('broken.json', undefined)], 1, 'JSON'],
  ['nothing', [join(folder, 'none.json')], 1, 'none.json'],
])('%s is refused', async (_, argv, code, words) => {
  const answer = await ask(...argv);
  expect(answer.code).toBe(code);
  expect(answer.err).toContain(words);
  expect(answer.out).toBe('');
});

function write(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, value === undefined ? '{' : JSON.stringify(value));
  return path;
}

test('a plan over devices that are not here: a bar a stage, said to be computed, with the command of the paper', async () => {
  const { code, out } = await ask('deepseek-v4-flash', '--device', 'h100-80g', '--count', '4', '--context', '131072', '--sequences', '16');
  expect(code).toBe(0);
  expect(out).toContain('Computed from shapes and the NVIDIA H100 data sheet; nothing of it was measured.');
  const bars = out.split('\n').filter((line) => /\[#+=*-*\.*\]/.test(line));
  expect(bars).toHaveLength(4);
  for (const bar of bars) {
    // Forty marks are the memory: as many are taken as the percentage says.
    const [, drawn = '', percent = ''] = /\[(.{40})\] (\d+) %/.exec(bar) ?? [];
    expect(Math.abs(drawn.replaceAll('.', '').length - (40 * Number(percent)) / 100)).toBeLessThanOrEqual(1);
  }
  expect(out).toMatch(/compressed rows, one for 128 tokens +20 /);
});

test('a plan as JSON, of a config.json and a size of memory: no bandwidth, no time', async () => {
  const { code, out } = await ask(config, '--memory', '12GiB', '--count', '2', '--context', '8192', '--max-sequences', '2', '--json');
  const plan = JSON.parse(out);
  expect(code).toBe(0);
  expect(plan).toMatchObject({ isComputed: true, canRun: true, family: 'llama', count: 2, contextLength: 8192, maxSequences: 2, fits: true, fewestDevices: 2 });
  expect(plan.stages).toHaveLength(2);
  expect(plan.floors[0].stepSize).toBeGreaterThan(2 * 7e9);
  expect(plan.floors[0].tokenMs).toBeUndefined();
});

test('a published model by its name, on the present device or in a size of memory, is its config.json', async () => {
  const [named, byPath] = await Promise.all(['llama-3.1-8b', config].map(async (model) => (await sizes(model, '--memory', '24GiB')).fits));
  expect(named).toEqual(byPath);
});

test.each([
  ['a plan without a device', ['deepseek-v4-pro'], 2, '--device with one of h100-80g,'],
  ['a count without a device', [config, '--count', '2'], 2, '--memory with a size'],
  ['two memories', [config, '--device', 'h200', '--memory', '80GiB'], 2, 'leave --memory out'],
  ['more devices than layers', [config, '--device', 'h200', '--count', '33'], 1, 'at most 32'],
  ['a device that nobody knows', [config, '--device', 'h300'], 2, 'h100-80g'],
  ['a model that nobody knows', ['deepseek-v9', '--device', 'h200'], 1, 'deepseek-v4-flash'],
  ['an encoder over devices', ['all-minilm-l6-v2', '--device', 'l4'], 1, 'a decoder'],
  ['two counts of sequences', [config, '--sequences', '2', '--max-sequences', '3'], 2, 'cannot be used with'],
  ['latent rows in q8', ['glm-5.2', '--device', 'h200', '--kv', 'q8'], 1, 'f16, f32'],
])('%s is refused', async (_, argv, code, words) => {
  const answer = await ask(...argv);
  expect(answer).toMatchObject({ code, out: '' });
  expect(answer.err).toContain(words);
});
