import { expect, test } from 'vitest';
import { type BenchRecord, compareSeries, judgeTargets, type Series, summarizeEngine } from '../../bench/record.ts';
import { drawBar, formatReport } from '../../bench/report.ts';
import type { Sample } from '../../bench/round.ts';

const workload = { sequences: 1, promptTokens: 128, newTokens: 16 };

function series(name: string, rounds: readonly { readonly prefill: number; readonly decode: number }[]): Series {
  const samples = rounds.map(
    ({ prefill, decode }, round): Sample => ({
      device: 'a device',
      loadMs: 100 + round,
      coldFirstTokenMs: 50,
      speeds: [{ firstTokenMs: 128_000 / prefill, prefillPerSecond: prefill, decodePerSecond: decode }],
      memory: { processes: 3, resident: 300e6, proportional: 250e6, peak: 400e6 },
      load: 0.5,
    }),
  );
  return { name, workloads: [workload], samples };
}

const ours = series('Inward', [
  { prefill: 60, decode: 30 },
  { prefill: 90, decode: 20 },
  { prefill: 30, decode: 10 },
]);
const theirs = series('llama.cpp Vulkan', [
  { prefill: 20, decode: 5 },
  { prefill: 30, decode: 5 },
  { prefill: 20, decode: 5 },
]);

test('ratios compare round with round', () => {
  // prefill 3, 3, 1.5; decode 6, 4, 2
  expect(compareSeries(ours, theirs)).toEqual({
    against: 'llama.cpp Vulkan',
    prefill: { median: 3, min: 1.5, max: 3 },
    decode: { median: 4, min: 2, max: 6 },
  });
});

test('targets: met at the limit, missed below it, not measured without the peer', () => {
  const ratio = (prefill: number, decode: number) => {
    const statistic = (median: number) => ({ median, min: median, max: median });
    return { against: 'llama.cpp Vulkan', prefill: statistic(prefill), decode: statistic(decode) };
  };
  const verdicts = (list: ReturnType<typeof judgeTargets>) => Object.fromEntries(list.map(({ name, isMet }) => [name, isMet]));
  // A model of 100 MB may take 600 MB.
  expect(verdicts(judgeTargets(ratio(2, 4), 600e6, 100e6))).toEqual({ decode: true, prefill: true, resident: true });
  expect(verdicts(judgeTargets(ratio(1.99, 3.99), 600e6 + 1, 100e6))).toEqual({ decode: false, prefill: false, resident: false });
  expect(verdicts(judgeTargets(undefined, 1, 100e6))).toEqual({ decode: null, prefill: null, resident: true });
});

test('bars are proportional, to an eighth of a cell', () => {
  expect(drawBar(1)).toBe('█'.repeat(40));
  expect(drawBar(0.5)).toBe('█'.repeat(20));
  expect(drawBar(1 / 320)).toBe('▏');
  expect(drawBar(0)).toBe('');
  expect(drawBar(Number.NaN)).toBe('');
});

test('the report names machine, medians with ranges, ratios and verdicts', () => {
  const ratio = compareSeries(ours, theirs);
  const record: BenchRecord = {
    date: '2026-01-02',
    version: '1.2.3',
    machine: { cpu: 'A CPU', cores: 2, memoryBytes: 8 * 2 ** 30, node: '24.0.0' },
    device: 'lavapipe',
    model: { file: 'm.gguf', bytes: 100e6 },
    rounds: 3,
    dispatchesPerToken: 211,
    engines: [summarizeEngine(ours), summarizeEngine(theirs)],
    compared: workload,
    ratios: [ratio],
    targets: judgeTargets(ratio, 300e6, 100e6),
  };
  const text = formatReport(record).join('\n');
  expect(text).toContain('A CPU, 2 cores, 8.0 GiB, Node 24.0.0');
  expect(text).toMatch(/prefill 128 \+ 16, tok\/s +60\.0 \(30\.0 to 90\.0\) +20\.0 \(20\.0 to 30\.0\)/);
  expect(text).toMatch(/decode 128 \+ 16, tok\/s +20\.0 \(10\.0 to 30\.0\) +5\.00/);
  expect(text).toMatch(/dispatches a token +211 +-/);
  expect(text).toMatch(/resident \(peak\), MB +300 \(400\)/);
  expect(text).toMatch(/each page once, MB +250/);
  expect(text).toContain('ours / llama.cpp Vulkan: prefill 3.00 (1.50 to 3.00), decode 4.00 (2.00 to 6.00)');
  expect(text).toContain('decode >= 4 x llama.cpp Vulkan on the same device: 4.00 x: met');
  expect(text).toContain('resident <= 2 x model + 400 MB = 600 MB: 300 MB: met');
});
