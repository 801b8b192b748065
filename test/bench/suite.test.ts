import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { expect, onTestFinished, test, vi } from 'vitest';
import { chainStorages } from '../../bench/kernels/encode.ts';
import { type Case, kindNames, nameCase, workOf } from '../../bench/suite/cases.ts';
import { parseSuiteOptions } from '../../bench/suite/options.ts';
import { readSuiteRecord, type SuiteRecord } from '../../bench/suite/record.ts';
import { formatResults, rateOf } from '../../bench/suite/report.ts';
import { drawRoofline } from '../../bench/suite/roofline.ts';
import { chooseFrom, setNames, sets } from '../../bench/suite/sets.ts';
import { timeRuns } from '../../bench/suite/stopwatch.ts';
import { columnStep, packedStorages } from '../../kernels/weights.ts';
import { UsageError } from '../../server/cli/options.ts';
import { savedRecord } from './records.ts';

const record: SuiteRecord = {
  date: '2026-01-02',
  device: 'lavapipe',
  adapter: 'a <device>',
  machine: { cpu: 'a CPU', cores: 2, memoryBytes: 1, node: '24' },
  set: 'standard',
  timedBy: 'timestamps',
  ceilings: { copy: 10, multiplyAdd: 100 },
  results: [
    { name: 'matmul Q4_1 1536x576, 1 token', kernels: ['k'], ms: 2, quickestMs: 1, bytes: 10e6, operations: 20e6, error: 1e-14 },
    { name: 'attention f16 9/3x64 over 128, 1 token', kernels: ['k'], ms: 4, quickestMs: 3, bytes: 1e6, operations: 200e6, error: 2e-9 },
    { name: 'repack Q4_1 64x64', kernels: ['k'], ms: 1, quickestMs: 1, bytes: 1e6, operations: 0, error: 0 },
  ],
  chains: savedRecord.kernels,
};

const storagesOf = (cases: readonly Case[], kind: string): Set<string> =>
  new Set(cases.flatMap((one) => (one.kind === kind && 'storage' in one ? [one.storage] : [])));

test('the standard set has every operation, and every storage as matmul and as repack', () => {
  const { cases } = sets.standard;
  expect(new Set(cases.map(({ kind }) => kind))).toEqual(new Set(kindNames));
  for (const kind of ['matmul', 'repack']) expect(storagesOf(cases, kind)).toEqual(new Set(Object.keys(packedStorages)));
  const kvs = cases.flatMap((one) => (one.kind === 'attention' && one.tokens === 1 ? [`${one.kv} ${one.positions}`] : []));
  expect(kvs).toEqual(expect.arrayContaining(['f16 128', 'f16 512', 'f16 2048', 'f32 128', 'f32 512', 'f32 2048']));
});

test.for(setNames)('set %s: names are there once, columns fit their storages, chains fit together', (name) => {
  const { cases, chains } = sets[name];
  const names = cases.map(nameCase);
  expect(new Set(names).size).toBe(names.length);
  for (const one of cases) if ('storage' in one) expect(one.columns % columnStep(one.storage)).toBe(0);
  expect(new Set(chains.map((chain) => chain.name)).size).toBe(chains.length);
  for (const { shapes, turns } of chains) {
    shapes.forEach(({ rows, columns, storage = 'Q4_0' }, i) => {
      expect(chainStorages).toContain(storage);
      expect(columns % columnStep(storage)).toBe(0);
      if (turns > 1 || i + 1 < shapes.length) expect(shapes[(i + 1) % shapes.length]?.columns).toBe(rows);
    });
  }
});

test('Gemma 3 270M: its widths and storages', () => {
  const { cases } = sets['gemma3-270m'];
  expect(storagesOf(cases, 'matmul')).toEqual(new Set(['Q5_0', 'Q4_K', 'Q6_K', 'Q8_0']));
  const shapes = new Set(cases.flatMap((one) => (one.kind === 'matmul' ? [`${one.rows}x${one.columns}`] : [])));
  expect(shapes).toEqual(new Set(['1024x640', '256x640', '640x1024', '2048x640', '640x2048', '262144x640']));
});

test('a filter looks at names of cases and of chains, whatever the case of its letters', () => {
  const one = chooseFrom('standard', 'MATMUL f16 2048');
  expect(one.cases.map(nameCase)).toEqual(['1 token', '8 tokens', '128 tokens'].map((tokens) => `matmul F16 2048x2048, ${tokens}`));
  expect(one.chains).toEqual([]);
  expect(chooseFrom('standard', 'nf4').cases.map(nameCase)).toEqual([
    'matmul NF4 2048x2048, 1 token',
    'matmul NF4 2048x2048, 128 tokens',
    'repack NF4 2048x2048',
  ]);
  expect(chooseFrom('standard', 'chain Q6').chains.map(({ name }) => name)).toEqual(['Q6_K 2048 x 2048']);
});

test('work of a matrix: its bytes in the file with vectors in and out, two operations a weight and token', () => {
  expect(workOf({ kind: 'matmul', storage: 'Q4_K', rows: 4, columns: 512, tokens: 3 })).toEqual({
    bytes: 4 * 2 * 144 + 3 * (512 + 4) * 4,
    operations: 2 * 4 * 512 * 3,
  });
  expect(workOf({ kind: 'matmul', storage: 'Q4_1', rows: 1, columns: 64, tokens: 1 }).bytes).toBe(2 * 20 + 65 * 4);
});

test('work of a matrix that is several tensors: its bytes on the device', () => {
  // Rows of 32 are a tile: for each 32 columns 16 bytes of codes a row, and a word.
  const sizes = { kind: 'matmul', storage: 'AWQ', rows: 64, columns: 96, tokens: 2 } as const;
  expect(workOf(sizes)).toEqual({ bytes: 64 * 3 * (16 + 4) + 2 * (96 + 64) * 4, operations: 2 * 64 * 96 * 2 });
  expect(workOf({ kind: 'repack', storage: 'AWQ', rows: 64, columns: 96 }).bytes).toBe(2 * 64 * 3 * (16 + 4));
});

test('work of gate and up: two matrices, one result', () => {
  expect(workOf({ kind: 'gate and up', storage: 'Q4_1', rows: 4, columns: 64, tokens: 3 })).toEqual({
    bytes: 2 * 4 * 2 * 20 + 3 * (64 + 4) * 4,
    operations: 2 * 2 * 4 * 64 * 3,
  });
});

test('work of attention: keys and values once, causal for several tokens', () => {
  // Three positions of one head of 8 for the last of two tokens, two for the first.
  const sizes = { kind: 'attention', heads: 1, kvHeads: 1, headLength: 8, positions: 3, tokens: 2 } as const;
  expect(workOf({ ...sizes, kv: 'f16' })).toEqual({ bytes: 3 * 8 * 2 * 2 + 2 * 8 * 8, operations: (3 + 2) * 8 * 4 });
  expect(workOf({ ...sizes, kv: 'f32' }).bytes).toBe(3 * 8 * 2 * 4 + 2 * 8 * 8);
});

test('the rate is that of the ceiling that binds', () => {
  const [matmul, attention] = record.results;
  expect(matmul && rateOf(matmul, record.ceilings)).toEqual({ value: 5, unit: 'GB/s', share: 0.5 });
  expect(attention && rateOf(attention, record.ceilings)).toEqual({ value: 50, unit: 'GFLOP/s', share: 0.5 });
});

test('beside an earlier record: the quotient of the times, what is slower, and a dash for what is new', () => {
  const [matmul, attention] = record.results.map((result) => ({ ...result, ms: result.ms / (result.name.startsWith('matmul') ? 2 : 1.1) }));
  const before = { ...record, date: '2026-01-01', results: [matmul, attention].filter((result) => result !== undefined) };
  const lines = formatResults(record, before, 10);
  expect(lines.find((line) => line.startsWith('matmul'))).toMatch(/2\.000 +5\.00 GB\/s +50 % +1\.0e-14 +2\.00 x slower$/);
  expect(lines.find((line) => line.startsWith('attention'))).toMatch(/ 1\.10 x$/);
  expect(lines.find((line) => line.startsWith('repack'))).toMatch(/ -$/);
  expect(lines.slice(-2)).toEqual(['1 of 2 cases slower by more than 10 % than on 2026-01-01', '  2.00 x  matmul Q4_1 1536x576, 1 token']);
  expect(formatResults(record, before, 150).at(-1)).toBe('0 of 2 cases slower by more than 150 % than on 2026-01-01');
  expect(formatResults(record, { ...before, adapter: 'another' }, 10)).toContain('compared with another device: another');
  expect(formatResults(record, undefined, 10).join('\n')).not.toContain('before');
});

test('the report says how times were taken, and has the chains beside the peers', () => {
  const text = formatResults(record, undefined, 10).join('\n');
  expect(text).toContain('times    by timestamps of the device');
  expect(text).toMatch(/64 x 32, 1 vector, GB\/s +4\.00 \(3\.50 to 4\.50\) +8\.00 +0\.50/);
  const plain = formatResults({ ...record, timedBy: 'clock', chains: [] }, undefined, 10).join('\n');
  expect(plain).toContain('times    by the clock');
  expect(plain).not.toContain('vector');
});

test('the roofline has a point for each case that computes, under both ceilings, and kinds in its legend', () => {
  const svg = drawRoofline(record);
  expect(svg.match(/<title>(?:matmul|attention|repack)[^<]*GFLOP\/s<\/title>/g)).toHaveLength(2);
  expect(svg).toContain('class="roof"');
  expect(svg).toMatch(/>matmul<\/text>/);
  for (const each of [svg, drawRoofline({ ...record, results: [] })]) expect(each).not.toMatch(/NaN|Infinity|undefined/);
});

test('times are of one run of those that fill a submit: as many as take 5 ms', async () => {
  const counts: number[] = [];
  const found = await timeRuns(async (count) => {
    counts.push(count);
    return count * 2;
  });
  expect(found).toEqual({ ms: 2, quickestMs: 2 });
  expect(counts.slice(0, 3)).toEqual([1, 1, 3]);
  expect(new Set(counts.slice(2))).toEqual(new Set([3]));
});

test('times that are rounded to 0.1 ms: as many runs as they need to be told', async () => {
  const counts: number[] = [];
  const found = await timeRuns(async (count) => {
    counts.push(count);
    return Math.round(count * 0.4) / 10;
  });
  // 1 run shows as 0, 8 as 0.3, 64 as 2.6: 5 ms are 124 of them, which show as 5.
  expect(counts.slice(0, 5)).toEqual([1, 1, 8, 64, 124]);
  expect(found.ms).toBeCloseTo(5 / 124, 12);
});

test('options', () => {
  expect(parseSuiteOptions([])).toEqual({ device: 'auto', set: 'standard', deterministic: false, peers: false, rounds: 3, threads: 2 });
  const line = '--device lavapipe --set gemma3-270m --filter q4 --json a --compare b --fail-above 12.5 --svg c --deterministic --peers --rounds 2 --threads 4';
  expect(parseSuiteOptions(line.split(' '))).toEqual({
    device: 'lavapipe',
    set: 'gemma3-270m',
    filter: 'q4',
    json: 'a',
    compare: 'b',
    failAbove: 12.5,
    svg: 'c',
    deterministic: true,
    peers: true,
    rounds: 2,
    threads: 4,
  });
});

test.for(['--set all', '--fail-above much', '--fail-above -1', '--rounds 0', 'stray'])('%s is refused with a sentence', (line) => {
  const write = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  onTestFinished(() => write.mockRestore());
  expect(() => parseSuiteOptions(line.split(' '))).toThrow(CommanderError);
  expect(write.mock.calls.join('')).toMatch(/^error: /);
});

test('what is no file of --json is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'x.json');
  expect(() => readSuiteRecord(path)).toThrow(UsageError);
  for (const bad of ['', '{}', '{"results":[{"name":"x","ms":0}]}', '{"results":[{"name":1,"ms":1}]}']) {
    writeFileSync(path, bad);
    expect(() => readSuiteRecord(path)).toThrow(/^Expected a file that --json has written in /);
  }
  writeFileSync(path, JSON.stringify(record));
  expect(readSuiteRecord(path)).toEqual(record);
});
