import { expect, test } from 'vitest';
import { chainPlans } from '../../bench/kernels/chain.ts';
import type { KernelRecord } from '../../bench/record.ts';
import { type Facts, formatTarget, judgeTargets, type TargetName, targetNames } from '../../bench/targets.ts';
import { statistic } from './records.ts';

const ratio = (against: string, decode: number, prefill: number) => ({ against, decode: statistic(decode), prefill: statistic(prefill) });

/** Both chains; onnxruntime on the CPU is there too, and is not what the targets are for. */
function kernels(single: number, many: number): KernelRecord[] {
  return chainPlans.flatMap(({ name }) =>
    [1, 128].map((tokens) => ({
      chain: name,
      tokens,
      unit: tokens === 1 ? ('GB/s' as const) : ('GFLOP/s' as const),
      sides: [],
      ratios: [
        { against: 'onnxruntime CPU', ratio: statistic(0.1) },
        { against: 'onnxruntime WebGPU', ratio: statistic(tokens === 1 ? single : many) },
      ],
    })),
  );
}

/** Every value at its limit: a model of 100 MB may take 600 MB. */
const atLimit: Facts = {
  device: 'lavapipe',
  compared: { sequences: 1, promptTokens: 256, newTokens: 16 },
  ratios: [ratio('llama.cpp Vulkan', 10, 6), ratio('transformers.js', 8, 3), ratio('llama.cpp CPU', 0.4, 0.4)],
  kernels: kernels(12, 2.5),
  streams: { sequences: 8, ratio: statistic(3) },
  context: { promptTokens: [128, 2048], ratio: statistic(0.7) },
  decodePerSecond: 3,
  coldStartMs: 10_000,
  residentBytes: 600e6,
  modelBytes: 100e6,
};

const verdicts = (facts: Facts) => Object.fromEntries(judgeTargets(facts).map(({ name, isMet }) => [name, isMet]));
const all = (value: boolean | null) => Object.fromEntries(targetNames.map((name) => [name, value]));

test('lavapipe: met at the limit; the target of SwiftShader is not judged', () => {
  expect(verdicts(atLimit)).toEqual({ ...all(true), decodeSwiftshader: null });
});

test('missed just beyond it', () => {
  const beyond = {
    ...atLimit,
    ratios: [ratio('llama.cpp Vulkan', 9.99, 5.99), ratio('transformers.js', 7.99, 2.99), ratio('llama.cpp CPU', 0.399, 0.399)],
    kernels: kernels(11.99, 2.49),
    streams: { sequences: 8, ratio: statistic(2.99) },
    context: { promptTokens: [128, 2048] as const, ratio: statistic(0.699) },
    coldStartMs: 10_001,
    residentBytes: 600e6 + 1,
  };
  expect(verdicts(beyond)).toEqual({ ...all(false), decodeSwiftshader: null });
});

test('SwiftShader: its own speed, cold start and memory; the ratios are for lavapipe', () => {
  const own = { decodeSwiftshader: true, coldStart: true, resident: true };
  expect(verdicts({ ...atLimit, device: 'swiftshader' })).toEqual({ ...all(null), ...own });
  expect(verdicts({ ...atLimit, device: 'swiftshader', decodePerSecond: 2.99 })['decodeSwiftshader']).toBe(false);
});

test('what was not measured, or with other numbers than the target names, is not judged', () => {
  const little = { ...atLimit, ratios: [], kernels: [], streams: { sequences: 7, ratio: statistic(9) }, context: null, coldStartMs: undefined };
  expect(verdicts(little)).toEqual({ ...all(null), resident: true });
  const short = verdicts({ ...atLimit, compared: { sequences: 1, promptTokens: 128, newTokens: 16 } });
  expect(['prefillVulkan', 'prefillTransformers', 'prefillCpu'].map((name) => short[name])).toEqual([null, null, null]);
  expect(short['decodeVulkan']).toBe(true);
  expect(verdicts({ ...atLimit, context: { promptTokens: [128, 1024], ratio: statistic(0.9) } })['context']).toBeNull();
});

test('limits and findings are in the unit of the target', () => {
  const find = (name: TargetName) => judgeTargets(atLimit).find((target) => target.name === name);
  expect(find('coldStart')).toEqual({ name: 'coldStart', limit: 10, reach: null, found: 10, isMet: true });
  expect(find('resident')).toEqual({ name: 'resident', limit: 600, reach: null, found: 600, isMet: true });
  expect(find('context')).toMatchObject({ limit: 70, found: 70 });
  expect(find('matmulSquare')).toEqual({ name: 'matmulSquare', limit: 2.5, reach: 3.5, found: 2.5, isMet: true });
});

test('what is wished beyond a limit stands beside the verdict', () => {
  const line = (found: number) => formatTarget({ name: 'decodeCpu', limit: 0.4, reach: 1, found, isMet: found >= 0.4 }, (value) => value.toFixed(2));
  expect(line(0.5)).toBe('target   decode over llama.cpp CPU (lavapipe) >= 0.40 x: 0.50 x: met; reach for 1.00 x: not reached');
  expect(line(1)).toMatch(/: met; reach for 1\.00 x: reached$/);
});
