/**
 * The Llama family from folders of safetensors files, in each storage that such have, against Hugging Face transformers. Bound: as in
 * llama.test.ts, 20 x the distance of the reference's own float32 and float64.
 */
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { run } from '../engine-run.ts';
import { distanceFrom } from '../golden.ts';
import { testDevice } from '../gpu.ts';
import { oracleFolder, readFolderOracle } from '../oracle.ts';
import { sampleCases } from '../sample.ts';
import { findTestData } from '../test-data.ts';

const kept = ['llama', 'llama_awq', 'llama_gptq_actorder', 'llama_ct_int4_asym', 'llama_fp8_block', 'llama_nf4'];
const others = ['llama_gptq', 'llama_ct_int4', 'llama_ct_fp8', 'llama_ct_fp8_tensor', 'llama_nf4_single'];
const larger = findTestData('oracles of five more storages, and all prompts of those that are here');

/** All prompts where the larger material is; one that is not there fails. */
const folders = larger === undefined ? kept.map(oracleFolder) : [...kept, ...others].map((name) => join(larger, 'oracles', name));

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;

describe.each(sampleCases('storages of folders', folders, kept.length).map((folder) => [basename(folder), folder] as const))('%s', (_, folder) => {
  test('exact: 24 tokens of each prompt, and the logits of every position', { timeout: patience }, async () => {
    const oracle = readFolderOracle(folder);
    expect(oracle.names).toContain('len33');
    await using engine = await createEngine({ modelPath: folder, device: testDevice(), kv: 'f32', activations: 'f32', contextLength: 512, kvTokens: 4096 });
    const results = await Promise.all(oracle.names.map((name) => run(engine, oracle.prompts[name].ids, { maxTokens: 24, logits: 'all' })));
    for (const [i, name] of oracle.names.entries()) {
      const [golden, result] = [oracle.prompts[name], results[i]];
      expect(result?.tokens, name).toEqual(golden.greedy);
      expect(result && distanceFrom(golden, result, 24), name).toBeLessThan(20 * oracle.tolerance);
    }
  });
});

// Columns in an order of their own are multiplied by f32 in any case; the others by int8.
test.each(['llama_awq', 'llama_gptq_actorder'])('%s with int8 activations: within three times what a bf16 run of the reference is off', async (name) => {
  const oracle = readFolderOracle(oracleFolder(name));
  await using engine = await createEngine({
    modelPath: oracle.modelPath,
    device: testDevice(),
    kv: 'f16',
    activations: 'int8',
    contextLength: 512,
    kvTokens: 4096,
  });
  for (const prompt of oracle.names) {
    const golden = oracle.prompts[prompt];
    const result = await run(engine, golden.ids, { maxTokens: 1, logits: 'all' });
    expect(result.tokens.slice(0, 1), prompt).toEqual(golden.greedy.slice(0, 1));
    expect(distanceFrom(golden, result, 1), prompt).toBeLessThan(3 * Math.max(oracle.half.bf16[prompt], oracle.half.f16?.[prompt] ?? 0));
  }
});
