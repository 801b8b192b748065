/**
 * Mixtures of experts, alone and in company: choices of other sequences change which tiles multiply, and where a choice stands in them,
 * but no bit of a result. Needs the oracles.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import type { Engine, EngineOptions } from '../../runtime/types.ts';
import { firstDifference, type Result, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { readFolderOracle } from '../oracle.ts';
import { findTestData } from '../test-data.ts';

const data = findTestData('mixtures of experts in batches');

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;

// gpt-oss adds biases of experts, a number of experts that is no multiple of four, windows and sinks.
test.each(data === undefined ? [] : ['qwen3_moe', 'gpt_oss'])(
  '%s: all prompts as one batch, and in odd chunks, give what each gives alone, bit for bit',
  { timeout: patience },
  async (name) => {
    const oracle = readFolderOracle(join(data ?? '', 'oracles', name));
    const open = (more: Partial<EngineOptions> = {}): Promise<Engine> =>
      createEngine({ modelPath: oracle.modelPath, device: testDevice(), kv: 'f32', activations: 'f32', contextLength: 512, kvTokens: 4096, ...more });
    const ask = (engine: Engine, prompt: (typeof oracle.names)[number]): Promise<Result> =>
      run(engine, oracle.prompts[prompt].ids, { maxTokens: 8, logits: 'all' });
    await using engine = await open();
    const alone = new Map<string, Result>();
    for (const prompt of oracle.names) alone.set(prompt, await ask(engine, prompt));
    const check = (prompt: string, result: Result | undefined): void => {
      expect(result?.tokens, prompt).toEqual(alone.get(prompt)?.tokens);
      expect(firstDifference(result?.logits ?? [], alone.get(prompt)?.logits ?? []), prompt).toBeUndefined();
    };
    const together = await Promise.all(oracle.names.map((prompt) => ask(engine, prompt)));
    oracle.names.forEach((prompt, i) => {
      check(prompt, together[i]);
    });
    await using chunked = await open({ tokenBudget: 7, maxSequences: 1 });
    for (const prompt of ['len33', 'long'] as const) check(prompt, await ask(chunked, prompt));
  },
);
