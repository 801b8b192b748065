/**
 * The whole command with a tiny model: that it ends, what it leaves behind, and what it says of a wrong use. Speed is
 * not judged: a test machine is busy.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type StepProfile, stepParts } from '../../bench/profile.ts';
import type { BenchRecord } from '../../bench/record.ts';
import type { SuiteRecord } from '../../bench/suite/record.ts';
import { testDevice } from '../gpu.ts';
import { listKeys, savedRecord } from './records.ts';

const root = join(import.meta.dirname, '../..');
const model = 'test/fixtures/oracles/gguf_llama_q4_1/model.gguf';
/** Of that file, in bytes. */
const modelBytes = 108_288;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function runBench(...args: readonly string[]): Promise<Ended> {
  return run('bin/inward.mjs', 'bench', '--model', model, '--device', testDevice(), '--rounds', '1', ...args);
}

function run(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, timeout: 110_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
  });
}

const statistic = (path: string): string[] => ['median', 'min', 'max'].map((key) => `${path}.${key}`);
const workload = (path: string): string[] => ['sequences', 'promptTokens', 'newTokens'].map((key) => `${path}.${key}`);

/** Written by hand: what is not in this list must not be in the record. */
const closedKeys = [
  ...['.date', '.version', '.device', '.rounds', '.dispatchesPerToken'],
  ...['cpu', 'cores', 'memoryBytes', 'node'].map((key) => `.machine.${key}`),
  ...['file', 'bytes'].map((key) => `.model.${key}`),
  ...['name', 'device', 'processes'].map((key) => `.engines[].${key}`),
  ...['loadMs', 'coldFirstTokenMs', 'residentBytes', 'proportionalBytes', 'peakBytes', 'loadAverage'].flatMap((key) => statistic(`.engines[].${key}`)),
  ...workload('.engines[].runs[]'),
  ...['firstTokenMs', 'prefillPerSecond', 'decodePerSecond'].flatMap((key) => statistic(`.engines[].runs[].${key}`)),
  ...workload('.compared'),
  '.ratios[]',
  '.streams.sequences',
  ...statistic('.streams.ratio'),
  '.context.promptTokens[]',
  ...statistic('.context.ratio'),
  ...statistic('.coldStart.warmMs'),
  '.coldStart.emptyMs',
  '.kernels[]',
  ...['name', 'limit', 'reach', 'found', 'isMet'].map((key) => `.targets[].${key}`),
];

test('one round on a tiny model: the last line is a record of closed keys with measured values', async () => {
  const { code, out, err } = await runBench(
    '--peers',
    'none',
    '--prompt-tokens',
    '16,40',
    '--new-tokens',
    '6',
    '--peer-prompt',
    '24',
    '--peer-tokens',
    '4',
    '--batch',
    '3',
  );
  expect(code, err).toBe(0);
  const lines = out.trimEnd().split('\n');
  const record = JSON.parse(lines.at(-1) ?? '') as BenchRecord;
  expect([...listKeys(record), '.ratios[]', '.kernels[]'].sort()).toEqual([...closedKeys].sort());
  expect(record.model).toEqual({ file: 'model.gguf', bytes: modelBytes });
  const judged = record.targets.filter(({ isMet }) => isMet !== null).map(({ name }) => name);
  expect(judged).toEqual(record.device === 'swiftshader' ? ['decodeSwiftshader', 'coldStart', 'resident'] : ['coldStart', 'resident']);
  expect(record.coldStart.warmMs?.median).toBeGreaterThan(0);
  expect(record.streams.sequences).toBe(3);
  const [own] = record.engines;
  expect(own?.runs.map((run) => [run.sequences, run.promptTokens, run.newTokens])).toEqual([
    [1, 16, 6],
    [1, 40, 6],
    [3, 16, 6],
    [1, 24, 4],
  ]);
  for (const run of own?.runs ?? []) {
    expect(run.firstTokenMs.median).toBeGreaterThan(0);
    expect(run.decodePerSecond.median).toBeGreaterThan(0);
    expect(run.prefillPerSecond.median).toBeCloseTo((1000 * run.sequences * run.promptTokens) / run.firstTokenMs.median, 6);
  }
  // What stands for the server, the engine and the text process.
  expect(own?.processes).toBe(3);
  expect(own?.residentBytes.median).toBeGreaterThan(100e6);
  expect(record.dispatchesPerToken).toBeGreaterThan(0);
  expect(lines.join('\n')).toContain('not measured');
});

test('a profile names the kernels of one sequence, of a batch and of a prefill, and no more', async () => {
  const { code, out, err } = await runBench('--profile', '--prompt-tokens', '20', '--batch', '2');
  expect(code, err).toBe(0);
  const lines = out.trimEnd().split('\n');
  const profiles = JSON.parse(lines.at(-1) ?? '') as StepProfile[];
  expect(listKeys(profiles).sort()).toEqual([
    '[].emptyMs',
    '[].hostMs',
    '[].kernels[].count',
    '[].kernels[].kernel',
    '[].kernels[].ms',
    '[].parts[].ms',
    '[].parts[].part',
    '[].step',
    '[].stepMs',
    '[].workMs',
  ]);
  expect(profiles.map(({ step }) => step)).toEqual(['decode, 1 x 20 of context', 'decode, 2 x 20 of context', 'prefill, 20 tokens']);
  const [one, two] = profiles;
  const dispatches = ({ kernels }: StepProfile): number => kernels.reduce((sum, { count }) => sum + count, 0);
  // Two layers of five dispatches; embed, logits, sample.
  expect([one, two].map((profile) => profile && dispatches(profile))).toEqual([13, 13]);
  for (const { stepMs, hostMs, workMs, parts, kernels } of profiles) {
    expect(stepMs).toBeGreaterThan(0);
    expect(parts.map(({ part }) => part)).toEqual(stepParts);
    for (const { ms } of parts) expect(ms).toBeGreaterThanOrEqual(0);
    expect(parts.find(({ part }) => part === 'wait')?.ms).toBeGreaterThan(0);
    // The commands of the next step come on top.
    expect(hostMs).toBeGreaterThan(0);
    expect(workMs).toBeGreaterThanOrEqual(hostMs);
    expect(kernels.reduce((sum, { ms }) => sum + ms, 0)).toBeGreaterThan(0);
    for (const { kernel } of kernels) expect(lines.slice(0, -1).some((line) => line.includes(kernel))).toBe(true);
  }
});

test('the kernel bench: one case with its rate, share and error, a file of it, a picture, and that file to compare with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [json, svg] = [join(folder, 'before.json'), join(folder, 'roofline.svg')];
  const args = ['--device', testDevice(), '--filter', 'EMBED q8_0'];
  const first = await run('bin/inward.mjs', 'bench', 'kernels', ...args, '--json', json, '--svg', svg);
  expect(first.code, first.err).toBe(0);
  const record = JSON.parse(readFileSync(json, 'utf8')) as SuiteRecord;
  expect(listKeys(record).sort()).toEqual(
    [
      ...['.date', '.device', '.adapter', '.set', '.timedBy', '.ceilings.copy', '.ceilings.multiplyAdd'],
      ...['cpu', 'cores', 'memoryBytes', 'node'].map((key) => `.machine.${key}`),
      ...['name', 'kernels[]', 'ms', 'quickestMs', 'bytes', 'operations', 'error'].map((key) => `.results[].${key}`),
    ].sort(),
  );
  expect(record.results.map(({ name }) => name)).toEqual(['embed Q8_0 8192x2048, 128 tokens']);
  expect(record.results[0]?.error).toBeLessThan(1e-13);
  expect(record.results[0]?.ms).toBeGreaterThan(0);
  expect(record.ceilings.copy).toBeGreaterThan(0);
  expect(first.out).toContain('of ceiling');
  expect(readFileSync(svg, 'utf8')).toContain('<title>embed Q8_0');
  // Nothing is twelve times slower the next minute; and everything is slower than a millionth of its time.
  const second = await run('bin/inward.mjs', 'bench', 'kernels', ...args, '--compare', json, '--fail-above', '1000');
  expect([second.code, second.out]).toEqual([0, expect.stringMatching(/\n0 of 1 cases slower by more than 1000 % than on .*\n$/)]);
  writeFileSync(json, JSON.stringify({ ...record, results: record.results.map((result) => ({ ...result, ms: result.ms / 1e6 })) }));
  const third = await run('bin/inward.mjs', 'bench', 'kernels', ...args, '--compare', json, '--fail-above', '1000');
  expect([third.code, third.out]).toEqual([1, expect.stringContaining('\n1 of 1 cases slower by more than 1000 %')]);
  for (const option of ['--json', '--svg']) {
    const nowhere = await run('bin/inward.mjs', 'bench', 'kernels', ...args, option, join(folder, 'none', 'x'));
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringMatching(/^Expected a folder to write .* into, found none\.\n$/)]);
  }
  const none = await run('bin/inward.mjs', 'bench', 'kernels', '--filter', 'nothing of this name');
  expect([none.code, none.err]).toEqual([2, expect.stringMatching(/^No case contains "nothing of this name"; a name is like "matmul F16/)]);
});

test('a saved record is printed and drawn again, and nothing is measured', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const saved = join(folder, 'saved.txt');
  writeFileSync(saved, JSON.stringify(savedRecord));
  const { code, out, err } = await runBench('--from', saved, '--svg', folder);
  expect(code, err).toBe(0);
  expect(JSON.parse(out.trimEnd().split('\n').at(-1) ?? '')).toEqual(savedRecord);
  expect(readdirSync(folder).sort()).toEqual(['decode.svg', 'kernels.svg', 'prefill.svg', 'saved.txt']);
  const none = await runBench('--from', join(folder, 'none'));
  expect(none.code).toBe(2);
  expect(none.err.trim()).toMatch(/^Expected the saved output of this version of the bench in .*, found no file that can be read\.$/);
});

test('more tokens than the context holds: one sentence that says what to lower', async () => {
  const { code, out, err } = await runBench('--peers', 'none', '--prompt-tokens', '8,1000000');
  expect(code).toBe(2);
  expect(out).toBe('');
  expect(err.trim().split('\n').at(-1)).toMatch(/^The context of this model holds \d+ tokens, and 1000032 are to be measured: lower /);
});
