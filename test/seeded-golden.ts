/**
 * Owns the comparison of a seeded model in a file with what the reference computed of it. Bound: as in llama.test.ts, 20 x the distance of the
 * reference's own float32 and float64; a lead of 40 x was asked for, so no token may differ.
 */
import { expect } from 'vitest';
import { createEngine } from '../runtime/engine.ts';
import type { DeviceName } from '../runtime/types.ts';
import { distance, run } from './engine-run.ts';
import { testDevice } from './gpu.ts';
import type { SeededFamily } from './seeded.ts';

/** Tokens and logits of all prompts, side by side. */
export async function expectGolden(modelPath: string, seeded: SeededFamily, device: DeviceName | 'auto' = testDevice()): Promise<void> {
  const prompts = Object.entries(seeded.prompts);
  const contextLength = Math.max(128, ...prompts.map(([, { ids, greedy }]) => ids.length + greedy.length));
  await using engine = await createEngine({ modelPath, device, kv: 'f32', activations: 'f32', contextLength, kvTokens: 1024 });
  const results = await Promise.all(prompts.map(([, { ids, greedy }]) => run(engine, Uint32Array.from(ids), { maxTokens: greedy.length, logits: 'sampled' })));
  for (const [i, [prompt, golden]] of prompts.entries()) {
    const result = results[i];
    expect(result?.tokens, prompt).toEqual(golden.greedy);
    for (const [logits, expected] of [
      [result?.logits[0], golden.first],
      [result?.logits.at(-1), golden.last],
    ])
      expect(distance(logits as Float32Array, Float32Array.from(expected as readonly number[])), prompt).toBeLessThan(20 * seeded.tolerance);
  }
}
