/** Owns a record for the tests of what is drawn from one: made by hand, every number different. */
import type { Statistic } from '../../bench/arithmetic.ts';
import type { BenchRecord, EngineRecord } from '../../bench/record.ts';

export const statistic = (median: number, spread = 0): Statistic => ({ median, min: median - spread, max: median + spread });

const compared = { sequences: 1, promptTokens: 128, newTokens: 16 };

function engine(name: string, decode: number, prefill: number): EngineRecord {
  return {
    name,
    device: `device of ${name}`,
    loadMs: statistic(2000),
    coldFirstTokenMs: statistic(900),
    processes: 3,
    residentBytes: statistic(300e6),
    proportionalBytes: statistic(250e6),
    peakBytes: statistic(400e6),
    loadAverage: statistic(0.5),
    runs: [{ ...compared, firstTokenMs: statistic(500), prefillPerSecond: statistic(prefill, 5), decodePerSecond: statistic(decode, 1) }],
  };
}

export const savedRecord: BenchRecord = {
  date: '2026-01-02',
  version: '1.2.3',
  machine: { cpu: 'A <fast> CPU', cores: 2, memoryBytes: 8 * 2 ** 30, node: '24.0.0' },
  device: 'lavapipe',
  model: { file: 'm.gguf', bytes: 100e6 },
  rounds: 3,
  dispatchesPerToken: 153,
  engines: [engine('Inward', 20, 60), engine('llama.cpp Vulkan', 5, 30)],
  compared,
  ratios: [{ against: 'llama.cpp Vulkan', decode: statistic(4, 2), prefill: statistic(2, 0.5) }],
  streams: { sequences: 8, ratio: statistic(2.6, 0.1) },
  context: { promptTokens: [128, 2048], ratio: statistic(0.75, 0.05) },
  coldStart: { warmMs: statistic(4321, 100), emptyMs: null },
  kernels: [
    {
      chain: '64 x 32',
      tokens: 1,
      unit: 'GB/s',
      sides: [
        { name: 'Inward', rate: statistic(4, 0.5) },
        { name: 'onnxruntime CPU', rate: statistic(8) },
      ],
      ratios: [{ against: 'onnxruntime CPU', ratio: statistic(0.5, 0.1) }],
    },
    {
      chain: '64 x 32',
      tokens: 128,
      unit: 'GFLOP/s',
      sides: [
        { name: 'Inward', rate: statistic(15) },
        { name: 'onnxruntime CPU', rate: statistic(150) },
      ],
      ratios: [{ against: 'onnxruntime CPU', ratio: statistic(0.1) }],
    },
  ],
  targets: [
    { name: 'decodeVulkan', limit: 10, reach: null, found: 4, isMet: false },
    { name: 'prefillCpu', limit: 0.4, reach: 0.5, found: 0.45, isMet: true },
    { name: 'decodeCpu', limit: 0.4, reach: 1, found: null, isMet: null },
    { name: 'streams', limit: 3, reach: null, found: 3.1, isMet: true },
    { name: 'decodeSwiftshader', limit: 3, reach: null, found: null, isMet: null },
    { name: 'coldStart', limit: 10, reach: null, found: 4.321, isMet: true },
    { name: 'resident', limit: 600, reach: null, found: 300, isMet: true },
  ],
};

/** Every key at every depth, once. */
export function listKeys(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((element) => listKeys(element, `${path}[]`)))];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => listKeys(inner, `${path}.${key}`));
}
