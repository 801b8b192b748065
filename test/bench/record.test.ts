import { expect, test } from 'vitest';
import { compareContexts, compareSeries, compareStreams, type Series, summarizeEngine, summarizeKernels } from '../../bench/record.ts';
import { drawBar, formatReport } from '../../bench/report.ts';
import type { Sample } from '../../bench/round.ts';
import { savedRecord } from './records.ts';

const one = { sequences: 1, promptTokens: 128, newTokens: 32 };
const eight = { ...one, sequences: 8 };
const compared = { ...one, newTokens: 16 };

/** Rounds of decode speeds, one a workload; prefill is twice as fast. */
function series(name: string, workloads: Series['workloads'], rounds: readonly (readonly number[])[]): Series {
  const samples = rounds.map(
    (decodes, round): Sample => ({
      device: 'a device',
      loadMs: 100 + round,
      coldFirstTokenMs: 50,
      speeds: decodes.map((decode) => ({ firstTokenMs: 64_000 / decode, prefillPerSecond: 2 * decode, decodePerSecond: decode })),
      memory: { processes: 3, resident: 300e6, proportional: 250e6, peak: 400e6 },
      load: 0.5,
    }),
  );
  return { name, workloads, samples };
}

const ours = series(
  'Inward',
  [one, eight, compared],
  [
    [10, 25, 30],
    [20, 60, 20],
    [8, 16, 10],
  ],
);
const theirs = series('llama.cpp Vulkan', [compared], [[5], [10], [4]]);

test('ratios compare round with round, the last workload of either side', () => {
  // decode 30 / 5, 20 / 10, 10 / 4; prefill the same
  const ratio = { median: 2.5, min: 2, max: 6 };
  expect(compareSeries(ours, theirs)).toEqual({ against: 'llama.cpp Vulkan', prefill: ratio, decode: ratio });
});

test('streams: the batch over one sequence of the same prompt, round with round', () => {
  // 25 / 10, 60 / 20, 16 / 8
  expect(compareStreams(ours)).toEqual({ sequences: 8, ratio: { median: 2.5, min: 2, max: 3 } });
});

test('context: the longest prompt over the first one, round with round; null where all have one length', () => {
  const long = { ...one, promptTokens: 2048 };
  const long2 = { ...one, promptTokens: 512 };
  const two = series(
    'Inward',
    [one, long, long2, eight, compared],
    [
      [10, 8, 9, 25, 30],
      [20, 10, 9, 60, 20],
      [8, 6, 9, 16, 10],
    ],
  );
  // 8 / 10, 10 / 20, 6 / 8
  expect(compareContexts(two)).toEqual({ promptTokens: [128, 2048], ratio: { median: 0.75, min: 0.5, max: 0.8 } });
  expect(compareContexts(ours)).toBeNull();
});

test('an engine: medians with ranges of every workload', () => {
  const { runs, loadMs, residentBytes } = summarizeEngine(ours);
  expect(runs.map(({ decodePerSecond }) => decodePerSecond)).toEqual([
    { median: 10, min: 8, max: 20 },
    { median: 25, min: 16, max: 60 },
    { median: 20, min: 10, max: 30 },
  ]);
  expect(runs[1]).toMatchObject(eight);
  expect(loadMs).toEqual({ median: 101, min: 100, max: 102 });
  expect(residentBytes.median).toBe(300e6);
});

test('kernels: rates of every side, ours over the others round with round', () => {
  const side = (name: string, rounds: readonly (readonly [number, number])[]) => ({
    name,
    samples: rounds.map(([single, many]) => [
      { chain: 'c', tokens: 1, rate: single },
      { chain: 'c', tokens: 128, rate: many },
    ]),
  });
  const records = summarizeKernels([
    side('Inward', [
      [4, 20],
      [2, 10],
    ]),
    side('onnxruntime CPU', [
      [8, 100],
      [8, 50],
    ]),
  ]);
  expect(records).toEqual([
    {
      chain: 'c',
      tokens: 1,
      unit: 'GB/s',
      sides: [
        { name: 'Inward', rate: { median: 3, min: 2, max: 4 } },
        { name: 'onnxruntime CPU', rate: { median: 8, min: 8, max: 8 } },
      ],
      ratios: [{ against: 'onnxruntime CPU', ratio: { median: 0.375, min: 0.25, max: 0.5 } }],
    },
    {
      chain: 'c',
      tokens: 128,
      unit: 'GFLOP/s',
      sides: [
        { name: 'Inward', rate: { median: 15, min: 10, max: 20 } },
        { name: 'onnxruntime CPU', rate: { median: 75, min: 50, max: 100 } },
      ],
      ratios: [{ against: 'onnxruntime CPU', ratio: { median: 0.2, min: 0.2, max: 0.2 } }],
    },
  ]);
  expect(summarizeKernels([])).toEqual([]);
});

test('bars are proportional, to an eighth of a cell', () => {
  expect(drawBar(1)).toBe('█'.repeat(40));
  expect(drawBar(0.5)).toBe('█'.repeat(20));
  expect(drawBar(1 / 320)).toBe('▏');
  expect(drawBar(0)).toBe('');
  expect(drawBar(Number.NaN)).toBe('');
});

test('the report names machine, medians with ranges, ratios, kernels and verdicts', () => {
  const text = formatReport(savedRecord).join('\n');
  expect(text).toContain('A <fast> CPU, 2 cores, 8.0 GiB, Node 24.0.0');
  expect(text).toContain('medians of 3 rounds');
  expect(text).toMatch(/prefill 128 \+ 16, tok\/s +60\.0 \(55\.0 to 65\.0\) +30\.0 \(25\.0 to 35\.0\)/);
  expect(text).toMatch(/decode 128 \+ 16, tok\/s +20\.0 \(19\.0 to 21\.0\) +5\.00/);
  expect(text).toMatch(/dispatches a token +153 +-/);
  expect(text).toMatch(/resident \(peak\), MB +300 \(400\)/);
  expect(text).toMatch(/each page once, MB +250/);
  expect(text).toMatch(/decode of 8 over one +2\.60 \(2\.50 to 2\.70\) +-/);
  expect(text).toMatch(/decode after 2048 over after 128 +0\.75 \(0\.70 to 0\.80\) +-/);
  expect(text).toMatch(/cold start, ms +4321 \(4221 to 4421\) +-/);
  expect(text).not.toContain('compiled anew');
  expect(text).toContain('ours / llama.cpp Vulkan: prefill 2.00 (1.50 to 2.50), decode 4.00 (2.00 to 6.00)');
  expect(text).toMatch(/64 x 32, 1 vector, GB\/s +4\.00 \(3\.50 to 4\.50\) +8\.00 +0\.50 \(0\.40 to 0\.60\)/);
  expect(text).toMatch(/64 x 32, 128 vectors, GFLOP\/s +15\.0 +150 +0\.10/);
  expect(text).toContain('decode over llama.cpp Vulkan on the same device (lavapipe) >= 10.0 x: 4.00 x: missed');
  expect(text).toContain('prefill of 256 tokens over llama.cpp CPU (lavapipe) >= 0.40 x: 0.45 x: met; reach for 0.50 x: not reached');
  expect(text).toContain('decode over llama.cpp CPU (lavapipe) >= 0.40 x: not measured; reach for 1.00 x');
  expect(text).toContain('decode (swiftshader) >= 3.00 tok/s: not measured');
  expect(text).toContain('cold start to first token <= 10.0 s: 4.32 s: met');
  expect(text).toContain('resident memory, 2 x model + 400 MB <= 600 MB: 300 MB: met');
  const alone = formatReport({
    ...savedRecord,
    rounds: 1,
    kernels: [],
    context: null,
    coldStart: { warmMs: null, emptyMs: savedRecord.coldStart.warmMs },
  }).join('\n');
  expect(alone).toContain('medians of 1 round (');
  expect(alone).toMatch(/cold start, kernels compiled anew, ms +4321/);
  expect(alone).not.toContain('4-bit');
  expect(alone).not.toContain('decode after');
});
