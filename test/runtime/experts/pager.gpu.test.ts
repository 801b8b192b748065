/**
 * Experts that are not all on the device: a quarter of them, or one of each layer, gives what all of them give, bit for bit, alone and in company, in stages,
 * wherever the others are and whether they were guessed, and nothing of the choices is left behind. Needs the oracles.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { weightSize } from '../../../runtime/checkpoint/loader.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { openEngine } from '../../../runtime/index.ts';
import { createPlanner, readModel } from '../../../runtime/plan.ts';
import type { Engine, EngineOptions } from '../../../runtime/types.ts';
import { firstDifference, type Result, run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readFolderOracle } from '../../oracle.ts';
import { readSeeded, writeSeeded } from '../../seeded.ts';
import { openStaged } from '../../stages.ts';
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

/**
 * Which part of the experts is there, and bytes of the files in host memory; the last ones have one of each layer. gpt-oss adds biases of experts, which all
 * stay, and fused tensors of FP4; DeepSeek-V4 experts by the ids of tokens, which are never guessed wrong.
 */
const cases: readonly (readonly [name: string, part: number, hostSize: number])[] = [
  ['qwen3_moe', 1 / 4, 2 ** 20],
  ...(isFull
    ? ([
        ['deepseek_v4', 1 / 4, 2 ** 30],
        ['deepseek_v4', 1 / 4, 0],
        ['gpt_oss', 1 / 4, 0],
        ['glm4_moe', 1 / 4, 2 ** 18],
        ['qwen3_5_moe', 1 / 4, 2 ** 20],
        ['gemma4_moe', 1 / 4, 0],
        ['gpt_oss', 0, 2 ** 30],
        ['qwen3_moe', 0, 0],
      ] as const)
    : []),
];

test.each(data === undefined ? [] : cases)(
  '%s with %d of its experts on the device, %i bytes in host memory',
  { timeout: 400_000 },
  async (name, part, hostSize) => {
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
    await using engine = await openEngine({ ...optionsOf(modelPath), expertMemory, ...(hostSize > 0 && { expertHostMemory: hostSize }) });
    expect(engine.info.weightBytes).toBeLessThanOrEqual(others + expertMemory);
    check('len33', await ask(engine, 'len33'));
    const together = await Promise.all(asked.map((prompt) => ask(engine, prompt)));
    asked.forEach((prompt, i) => {
      check(prompt, together[i]);
    });
    const { expertUses, expertLoads, expertsAhead, expertsForeseen, expertBytes, expertFileBytes } = engine.stats();
    expect([expertLoads > 0, expertLoads < expertUses || part === 0, expertsAhead > 0, expertsForeseen <= expertsAhead]).toEqual([true, true, true, true]);
    // Where one slot has to do, an expert that was brought may have to go before its turn.
    if (name === 'deepseek_v4') expect(expertsForeseen).toBeGreaterThan(0);
    if (hostSize === 0) expect([expertFileBytes <= expertBytes, expertFileBytes > 0.9 * expertBytes]).toEqual([true, true]);
    // With room for all of the files nothing is read twice.
    const { size } = statSync(join(modelPath, 'model.safetensors'));
    if (hostSize > size) expect(expertFileBytes).toBeLessThanOrEqual(size);
    expect(await engine.checkZeroed()).toMatchObject({ staging: 0, activations: 0, batch: 0 });
  },
);

test('where layers add next to nothing, what the layer before guesses is what a layer chooses', { timeout: 400_000 }, async () => {
  const modelPath = mkdtempSync(join(tmpdir(), 'inward-guesses-'));
  onTestFinished(() => rmSync(modelPath, { recursive: true, force: true }));
  const seeded = readSeeded('qwen3_moe');
  const tensors = seeded.tensors.map(([name, shape, kind, exponent]) => [name, shape, kind, /(?:o_proj|down_proj)/.test(name) ? 60 : exponent] as const);
  writeSeeded({ ...seeded, tensors }, modelPath);
  const { expertsOf } = sizesOf(modelPath);
  const ask = async (expertMemory: number) => {
    await using engine = await createEngine({ ...optionsOf(modelPath), expertMemory, draftLength: 0 });
    const result = await run(engine, seeded.prompts['len7']?.ids ?? [], { maxTokens: 24, logits: 'all' });
    return { result, stats: engine.stats() };
  };
  const [some, all] = [await ask(Math.ceil(expertsOf() / 2)), await ask(expertsOf())];
  const { expertsAhead, expertsForeseen, expertLoads, expertUses } = some.stats;
  expect(expertsAhead).toBeGreaterThan(0);
  expect(expertsForeseen).toBe(expertsAhead);
  // Only the first layer is not foreseen.
  expect(expertLoads).toBeLessThan(expertUses / 2);
  expect(firstDifference(some.result.logits, all.result.logits)).toBeUndefined();
});

const staged = isFull ? ['qwen3_moe', 'deepseek_v4'] : [];

test.each(data === undefined ? [] : staged)('%s in two stages, each with a quarter of its experts on the device', { timeout: 400_000 }, async (name) => {
  const { modelPath, prompts } = readFolderOracle(join(data ?? '', 'oracles', name));
  const { expertsOf } = sizesOf(modelPath);
  const ask = (engine: Engine): Promise<Result> => run(engine, prompts.len33.ids, { maxTokens: 6, logits: 'all' });
  await using whole = await createEngine(optionsOf(modelPath));
  const expected = await ask(whole);
  const options = { ...optionsOf(modelPath), expertMemory: Math.max(expertsOf(1), Math.floor(expertsOf() / 4)), expertHostMemory: 2 ** 20 };
  const { engine, sent } = await openStaged(options, 2);
  await using two = engine;
  const result = await ask(two);
  expect(result.tokens).toEqual(expected.tokens);
  expect(firstDifference(result.logits, expected.logits)).toBeUndefined();
  expect(sent[0]?.some(({ type }) => type === 'step')).toBe(true);
  expect(two.stats().expertLoads).toBeGreaterThan(0);
});

test('host memory for experts without a bound on the device is refused', async () => {
  await expect(createEngine({ modelPath: 'nowhere.gguf', expertHostMemory: 1 })).rejects.toThrow('expertHostMemory breaks the rule "only with expertMemory"');
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
