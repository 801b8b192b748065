/** Plans over several devices: the engine's own planner gives the same sum, borders are borders, and floors follow by hand. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { random } from '../../../kernels/random.ref.ts';
import { fitModel, fitStages } from '../../../runtime/fit.ts';
import { accelerators } from '../../../runtime/sizing/accelerators.ts';
import type { Accelerator, StagePlan } from '../../../runtime/sizing/types.ts';
import { sampleCases } from '../../sample.ts';

const unlimited: Accelerator = { name: 'memory', label: 'any', memory: Number.POSITIVE_INFINITY, bandwidth: 1e12 };
const release = (name: string): string => join(import.meta.dirname, `../../../models/releases/${name}.json`);
const device = (name: string): Accelerator => accelerators.find((row) => row.name === name) ?? unlimited;

/** One of each kind: tied, windows in some layers and in all, recurrent state and experts. */
const kinds: readonly string[] = ['llama-3.2-1b', 'gemma-3-1b', 'mistral-7b-v0.1', 'qwen3-next-80b-a3b'];
test.each(sampleCases('plans of models of several kinds', kinds, 2))('%s: the stages are what the engine plans for', (name) => {
  const options = { contextLength: 8192, maxSequences: 3, tokenBudget: 64 };
  const [whole] = fitModel(release(name), options, { memory: Number.POSITIVE_INFINITY, binding: Number.POSITIVE_INFINITY });
  const one = fitStages(release(name), options, unlimited, 1);
  expect(one.stages).toHaveLength(1);
  expect(one).toMatchObject({ weightSize: whole?.weightSize, cacheSize: (whole?.kvSize ?? 0) + (whole?.stateSize ?? 0), canRun: true });
  expect(one.stages[0]?.scratchSize).toBe(whole?.scratchSize);
  // Over three devices nothing comes or goes, but for a second table where the logits are made with the first.
  const three = fitStages(release(name), options, unlimited, 3);
  expect(three.stages.map(({ layerCount }) => layerCount).reduce((sum, count) => sum + count, 0)).toBe(one.stages[0]?.layerCount);
  expect(three.cacheSize).toBe(one.cacheSize);
  const { vocab, width } = { 'llama-3.2-1b': { vocab: 128_256, width: 2048 }, 'gemma-3-1b': { vocab: 262_144, width: 1152 } }[name] ?? { vocab: 0, width: 0 };
  expect(three.weightSize - one.weightSize).toBe(vocab * width * 2);
});

test('DeepSeek-V3 in FP8, as released: a word beside each block of 32 numbers, BF16 where its files have that', () => {
  const { weightSize, parameterCount } = fitStages(release('deepseek-v3'), { contextLength: 4096, maxSequences: 1 }, unlimited, 8);
  const whole = 2 * 129_280 * 7168 + 58 * 256 * 7168;
  expect(weightSize / ((parameterCount - whole) * (36 / 32) + whole * 2)).toBeCloseTo(1, 4);
});

const large: readonly (readonly [model: string, device: string, count: number])[] = [
  ['deepseek-v4-flash', 'h100-80g', 4],
  ['glm-5.2-fp8', 'h200', 8],
];
test.each(sampleCases('plans of large models', large, 1))('%s: what is said to fit fits, and nothing beyond', (model, name, count) => {
  const ask = (contextLength: number, maxSequences: number, devices = count): StagePlan =>
    fitStages(model, { contextLength, maxSequences }, device(name), devices);
  const plan = ask(131_072, 16);
  expect(plan.fits).toBe(true);
  const { fewestDevices = 0, largestContext, mostSequences } = plan;
  expect([ask(131_072, 16, fewestDevices).fits, ask(131_072, 16, fewestDevices - 1).fits]).toEqual([true, false]);
  expect([ask(131_072, mostSequences).fits, ask(131_072, mostSequences + 1).fits]).toEqual([true, false]);
  expect([ask(largestContext, 16).fits, largestContext === 1_048_576 || ask(largestContext + 16, 16).fits]).toEqual([true, largestContext === 1_048_576]);
});

test('the floor of one sequence, by hand: all weights but the table of tokens, and its keys and values, over the bandwidth', () => {
  const { floors, weightSize } = fitStages(release('llama-3.1-8b'), { contextLength: 4096, maxSequences: 1 }, unlimited, 2);
  const read = weightSize - 128_256 * 4096 * 2 + 4096 * 32 * 2 * 8 * 128 * 2;
  expect(floors).toEqual([{ sequences: 1, stepSize: read, tokenMs: (read / 1e12) * 1000, tokensPerSecond: 1e12 / read }]);
});

test('experts that several tokens read: as many as drawing them at random gives', () => {
  const ask = (maxSequences: number, contextLength = 16): number =>
    fitStages(release('qwen3-30b-a3b'), { contextLength, maxSequences }, unlimited, 1).floors.at(-1)?.stepSize ?? 0;
  const expertSize = 48 * 3 * 768 * 2048 * 2;
  const caches = 16 * 48 * 2 * 4 * 128 * 2;
  const next = random(5);
  let seen = 0;
  const rounds = 2000;
  for (let round = 0; round < rounds; round++) {
    const chosen = new Set<number>();
    for (let token = 0; token < 12; token++) {
      const own = new Set<number>();
      while (own.size < 8) own.add(Math.floor(next() * 128));
      for (const expert of own) chosen.add(expert);
    }
    seen += chosen.size;
  }
  expect((ask(12) - ask(1) - 11 * caches) / expertSize + 8).toBeCloseTo(seen / rounds, 0);
});

test('stages work at the same time where there are sequences for all of them', () => {
  const ask = (maxSequences: number): StagePlan => fitStages(release('llama-3.1-8b'), { contextLength: 128, maxSequences }, unlimited, 4);
  const [one, four] = [ask(1).floors.at(-1), ask(4).floors.at(-1)];
  const speedup = (four?.tokensPerSecond ?? 0) / (one?.tokensPerSecond ?? 1);
  // The last stage has the matrix of the logits as well, so that the stages are not quite equal.
  expect(speedup).toBeGreaterThan(3.2);
  expect(speedup).toBeLessThanOrEqual(4);
});

test('a quarter of the experts: the engine`s own plan, and what comes from files for one token by hand', () => {
  const path = release('qwen3-30b-a3b');
  // 48 layers of 128 experts, each of three matrices.
  const expert = 3 * 768 * 2048 * 2;
  const options = { contextLength: 4096, maxSequences: 1, expertMemory: 48 * 32 * expert };
  const [whole] = fitModel(path, options, { memory: Number.POSITIVE_INFINITY, binding: Number.POSITIVE_INFINITY });
  const { stages, floors } = fitStages(path, options, unlimited, 1);
  expect(stages[0]).toMatchObject({ expertSlots: 32, weightSize: whole?.weightSize, scratchSize: whole?.scratchSize, fits: true });
  expect(floors[0]?.fetchedSize).toBe(48 * 8 * expert * (1 - 32 / 128));
  // On each of two devices as much: twice as many of a layer.
  expect(fitStages(path, options, unlimited, 2).stages.map(({ expertSlots }) => expertSlots)).toEqual([64, 64]);
  expect(fitStages(path, { ...options, expertMemory: 48 * expert - 1 }, unlimited, 1)).toMatchObject({ fits: false, stages: [{ expertSlots: 0 }] });
});
