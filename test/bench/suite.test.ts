import { expect, test } from 'vitest';
import { listCases, nameCase, workOf } from '../../bench/suite/cases.ts';
import type { SuiteRecord } from '../../bench/suite/index.ts';
import { formatResults, rateOf } from '../../bench/suite/report.ts';
import { drawRoofline } from '../../bench/suite/roofline.ts';
import { isBlockStorage, packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';

const record: SuiteRecord = {
  date: '2026-01-02',
  device: 'lavapipe',
  adapter: 'a <device>',
  machine: { cpu: 'a CPU', cores: 2, memoryBytes: 1, node: '24' },
  ceilings: { copy: 10, multiplyAdd: 100 },
  results: [
    { name: 'matmul Q4_1 1536x576, 1 token', kernels: ['k'], ms: 2, quickestMs: 1, bytes: 10e6, operations: 20e6, error: 1e-14 },
    { name: 'attention f16 9/3x64 over 128, 1 token', kernels: ['k'], ms: 4, quickestMs: 3, bytes: 1e6, operations: 200e6, error: 2e-9 },
  ],
};

test('every storage is measured, and every name is there once', () => {
  const cases = listCases();
  const names = cases.map(nameCase);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(cases.flatMap((one) => (one.kind === 'matmul' ? [one.storage] : [])))).toEqual(
    new Set((Object.keys(packedStorages) as StorageWithKernels[]).filter(isBlockStorage)),
  );
  for (const one of cases) if (one.kind === 'matmul') expect(one.columns % (packedStorages[one.storage].hasSuper ? 256 : 32)).toBe(0);
});

test('work of a matrix: its bytes in the file with vectors in and out, two operations a weight and token', () => {
  expect(workOf({ kind: 'matmul', storage: 'Q4_K', rows: 4, columns: 512, tokens: 3 })).toEqual({
    bytes: 4 * 2 * 144 + 3 * (512 + 4) * 4,
    operations: 2 * 4 * 512 * 3,
  });
  expect(workOf({ kind: 'matmul', storage: 'Q4_1', rows: 1, columns: 64, tokens: 1 }).bytes).toBe(2 * 20 + 65 * 4);
});

test('work of attention: keys and values once, causal for several tokens', () => {
  // Three positions of one head of 8 for the last of two tokens, two for the first.
  expect(workOf({ kind: 'attention', heads: 1, kvHeads: 1, headLength: 8, positions: 3, tokens: 2 })).toEqual({
    bytes: 3 * 8 * 2 * 2 + 2 * 8 * 8,
    operations: (3 + 2) * 8 * 4,
  });
});

test('the rate is that of the ceiling that binds', () => {
  const [matmul, attention] = record.results;
  expect(matmul && rateOf(matmul, record.ceilings)).toEqual({ value: 5, unit: 'GB/s', share: 0.5 });
  expect(attention && rateOf(attention, record.ceilings)).toEqual({ value: 50, unit: 'GFLOP/s', share: 0.5 });
});

test('beside an earlier record: the quotient of the times, and a dash for what is new', () => {
  const before = { ...record, results: record.results.slice(0, 1).map((result) => ({ ...result, ms: 1 })) };
  const lines = formatResults(record, before);
  expect(lines.find((line) => line.startsWith('matmul'))).toMatch(/2\.000 +5\.00 GB\/s +50 % +1\.0e-14 +2\.00 x$/);
  expect(lines.find((line) => line.startsWith('attention'))).toMatch(/ -$/);
  expect(formatResults(record, undefined).join('\n')).not.toContain('before');
});

test('the roofline has a point a case under both ceilings', () => {
  const svg = drawRoofline(record);
  expect(svg.match(/<title>(?:matmul|attention)[^<]*GFLOP\/s<\/title>/g)).toHaveLength(2);
  expect(svg).toContain('class="roof"');
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});
