/**
 * Experts that are not all on the device: a quarter of them, or one of each layer, gives what all of them give, bit for bit, alone and in company, and
 * nothing of the choices is left behind. Needs the oracles.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { weightSize } from '../../../runtime/checkpoint/loader.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { openEngine } from '../../../runtime/index.ts';
import { createPlanner, readModel } from '../../../runtime/plan.ts';
import type { Engine, EngineOptions } from '../../../runtime/types.ts';
import { firstDifference, type Result, run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readFolderOracle } from '../../oracle.ts';
import { findTestData } from '../../test-data.ts';

const data = findTestData('experts that are not all on the device');
const isFull = process.env['INWARD_FULL'] !== undefined;

/** Bytes of all weights but routed experts, and of these with so many of each layer. */
function sizesOf(modelPath: string): { readonly others: number; readonly expertsOf: (slots?: number) => number } {
  using checkpoint = openCheckpoint(modelPath);
  const { family, config } = readModel(checkpoint);
  const specs = family.weights(config);
  const others = weightSize(checkpoint, specs, 0);
  const sizes = [1, undefined].map((slots) => weightSize(checkpoint, specs, slots) - others);
  return { others, expertsOf: (slots) => (slots === undefined ? (sizes[1] ?? 0) : (sizes[0] ?? 0) * slots) };
}

const optionsOf = (modelPath: string): EngineOptions => ({ modelPath, device: testDevice(), kv: 'f32', contextLength: 512, kvTokens: 4096 });

/** Which part of the experts is there; the last ones have one of each layer. gpt-oss adds biases of experts, which all stay, and fused tensors of FP4. */
const cases: readonly (readonly [name: string, part: number])[] = [
  ['qwen3_moe', 1 / 4],
  ...(isFull
    ? ([
        ['gpt_oss', 1 / 4],
        ['glm4_moe', 1 / 4],
        ['qwen3_5_moe', 1 / 4],
        ['gpt_oss', 0],
        ['qwen3_moe', 0],
      ] as const)
    : []),
];

test.each(data === undefined ? [] : cases)('%s with %d of its experts on the device', { timeout: 400_000 }, async (name, part) => {
  const { modelPath, prompts, names } = readFolderOracle(join(data ?? '', 'oracles', name));
  const { others, expertsOf } = sizesOf(modelPath);
  const ask = (engine: Engine, prompt: (typeof names)[number]): Promise<Result> => run(engine, prompts[prompt].ids, { maxTokens: 6, logits: 'all' });
  const asked = names.filter((prompt) => isFull || ['len7', 'len33', 'batch0'].includes(prompt));
  const whole = new Map<string, Result>();
  {
    await using engine = await createEngine(optionsOf(modelPath));
    expect(engine.info.weightBytes).toBe(others + expertsOf());
    for (const prompt of asked) whole.set(prompt, await ask(engine, prompt));
  }
  const check = (prompt: string, result: Result | undefined): void => {
    expect(result?.tokens, prompt).toEqual(whole.get(prompt)?.tokens);
    expect(firstDifference(result?.logits ?? [], whole.get(prompt)?.logits ?? []), prompt).toBeUndefined();
  };
  // In a process of its own, which may read no file any more once it has started.
  const expertMemory = Math.max(expertsOf(1), Math.floor(expertsOf() * part));
  await using engine = await openEngine({ ...optionsOf(modelPath), expertMemory });
  expect(engine.info.weightBytes).toBeLessThanOrEqual(others + expertMemory);
  check('len33', await ask(engine, 'len33'));
  const together = await Promise.all(asked.map((prompt) => ask(engine, prompt)));
  asked.forEach((prompt, i) => {
    check(prompt, together[i]);
  });
  const { expertUses, expertLoads } = engine.stats();
  expect([expertLoads > 0, expertLoads < expertUses || part === 0]).toEqual([true, true]);
  expect(await engine.checkZeroed()).toMatchObject({ staging: 0, activations: 0, batch: 0 });
});

test.skipIf(data === undefined)('the plan counts what stays on the device, and less than one expert of each layer is refused', () => {
  const modelPath = join(data ?? '', 'oracles', 'qwen3_moe');
  const { others, expertsOf } = sizesOf(modelPath);
  using checkpoint = openCheckpoint(modelPath);
  const plan = createPlanner(checkpoint);
  const sizeWith = (expertMemory: number): number => plan({ expertMemory }).weightSize;
  expect(sizeWith(expertsOf(2))).toBe(others + expertsOf(2));
  expect(sizeWith(expertsOf(2) - 1)).toBe(others + expertsOf(1));
  expect(sizeWith(expertsOf())).toBe(others + expertsOf());
  expect(() => sizeWith(expertsOf(1) - 1)).toThrow(
    expect.objectContaining({ code: 'invalid_option', fields: expect.objectContaining({ option: 'expertMemory' }) }),
  );
});
