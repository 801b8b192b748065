/**
 * Every family from files in the layout of real releases, against Hugging Face transformers: greedy tokens and logits of each prompt, all
 * prompts side by side. Bound: as in llama.test.ts, 20 x the distance of the reference's own float32 and float64.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { run } from '../engine-run.ts';
import { distanceFrom } from '../golden.ts';
import { testDevice } from '../gpu.ts';
import { readFolderOracle, readGgufOracle } from '../oracle.ts';
import { sampleCases } from '../sample.ts';
import { findTestData } from '../test-data.ts';

/** By the family's name; in full, of each. */
const oracles: readonly (readonly [name: string, format: 'folder' | 'gguf'])[] = [
  ['deepseek_v3', 'folder'],
  ['gemma2', 'folder'],
  ['gemma3', 'folder'],
  ['gemma3_text', 'folder'],
  ['gemma4_e2b', 'folder'],
  ['gemma4_kv', 'folder'],
  ['gemma4_moe', 'folder'],
  ['glm4_moe', 'folder'],
  ['gpt_oss', 'folder'],
  ['ministral3', 'folder'],
  ['mistral', 'folder'],
  ['phi3', 'folder'],
  ['qwen2', 'folder'],
  ['qwen3', 'folder'],
  ['qwen3_5', 'folder'],
  ['qwen3_5_moe', 'folder'],
  ['qwen3_next', 'folder'],
  ['qwen3_moe', 'folder'],
  ['smollm3', 'folder'],
  ['gguf_gemma3_f16', 'gguf'],
  ['gguf_gemma3_q4_0', 'gguf'],
  ['gguf_qwen3_f16', 'gguf'],
  ['gguf_qwen3_q4_0', 'gguf'],
];

const data = findTestData('oracles of all families');

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;

test.each(data === undefined ? [] : sampleCases('oracles of families', oracles, 4))(
  '%s as a %s: 24 tokens of each prompt, and the logits of every position',
  { timeout: patience },
  async (name, format) => {
    const folder = join(data ?? '', 'oracles', name);
    const oracle = format === 'gguf' ? readGgufOracle(folder) : readFolderOracle(folder);
    await using engine = await createEngine({
      modelPath: oracle.modelPath,
      device: testDevice(),
      kv: 'f32',
      activations: 'f32',
      contextLength: 512,
      kvTokens: 4096,
    });
    const results = await Promise.all(oracle.names.map((prompt) => run(engine, oracle.prompts[prompt].ids, { maxTokens: 24, logits: 'all' })));
    for (const [i, prompt] of oracle.names.entries()) {
      const [golden, result] = [oracle.prompts[prompt], results[i]];
      expect(result?.tokens, prompt).toEqual(golden.greedy);
      expect(result && distanceFrom(golden, result, 24), prompt).toBeLessThan(20 * oracle.tolerance);
    }
  },
);
