/** What GGUF files of DeepSeek-V3 say in the words of config.json, as llama.cpp's converter writes them now and wrote them before. */
import { expect, test } from 'vitest';
import { deepseekV3 } from '../../../models/deepseek_v3.ts';
import { createGgufConfig, createGgufNames } from '../../../runtime/checkpoint/gguf-config.ts';
import type { Checkpoint } from '../../../runtime/checkpoint/types.ts';

/** Keys without the architecture; tensors that are there. */
function configOf(metadata: Readonly<Record<string, number | string | boolean>>, tensors: readonly string[]): ReturnType<typeof deepseekV3.readConfig> {
  const header = { shape: [129_280, 7168] };
  const file = {
    metadata: new Map(Object.entries(metadata).map(([key, value]) => [`deepseek2.${key}`, value])),
    tensors: new Map(['token_embd.weight', 'output.weight', ...tensors].map((name) => [name, header])),
  };
  return deepseekV3.readConfig(createGgufConfig(file as unknown as Pick<Checkpoint, 'metadata' | 'tensors'>, deepseekV3));
}

const common = {
  ...{ block_count: 61, context_length: 163_840, embedding_length: 7168, feed_forward_length: 18_432 },
  ...{ 'attention.head_count': 128, 'attention.layer_norm_rms_epsilon': 1e-6, 'attention.q_lora_rank': 1536, 'attention.kv_lora_rank': 512 },
  ...{ 'rope.freq_base': 10_000, 'rope.dimension_count': 64, leading_dense_block_count: 3 },
  ...{ 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 40, 'rope.scaling.original_context_length': 4096 },
  'rope.scaling.yarn_log_multiplier': Math.fround(0.1),
  ...{ expert_count: 256, expert_used_count: 8, expert_shared_count: 1, expert_feed_forward_length: 2048 },
  ...{ expert_weights_scale: 2.5, expert_weights_norm: true, expert_gating_func: 2, expert_group_count: 8, expert_group_used_count: 4 },
};
const apart = { 'attention.head_count_kv': 1, 'attention.key_length': 576, 'attention.value_length': 512 };
const forms = [
  ['now', { ...common, ...apart, 'attention.key_length_mla': 192, 'attention.value_length_mla': 128 }, ['blk.0.attn_k_b.weight'], true],
  ['before', { ...common, 'attention.head_count_kv': 128, 'attention.key_length': 192, 'attention.value_length': 128 }, ['blk.0.attn_kv_b.weight'], false],
] as const;

test.each(forms)('as they are written %s', (_, metadata, tensors, areKeysApart) => {
  const config = configOf(metadata, tensors);
  expect(config).toMatchObject({ queryRank: 1536, feedForwardLength: 18_432, areKeysApart, mixture: { width: 2048, sharedWidth: 2048 } });
  expect(config.mixture.router).toMatchObject({ experts: 256, topK: 8, groups: { count: 8, choices: 4, top: 2 }, scale: 2.5, score: 'sigmoid' });
  expect(config.latent).toMatchObject({ heads: 128, plainLength: 128, ropeLength: 64, latentLength: 512, valueLength: 128 });
  // Scores of 192 channels, times the square of 0.1 ln(40) + 1; angles are turned by no more than that on both sides, so not at all.
  expect(config.latent.scale).toBeCloseTo(192 ** -0.5 * (0.1 * Math.log(40) + 1) ** 2, 7);
  expect(config.rope.scaling).toMatchObject({ kind: 'yarn', factor: 40, originalLength: 4096 });
});

test('experts that are chosen by softmax are those of DeepSeek-V2, and refused', () => {
  expect(() => configOf({ ...forms[0][1], expert_gating_func: 1 }, forms[0][2])).toThrow(
    expect.objectContaining({ code: 'model_unsupported', fields: expect.objectContaining({ expected: 'sigmoid', found: 'softmax' }) }),
  );
});

test('names of tensors', () => {
  const nameOf = createGgufNames(deepseekV3);
  const name = 'model.layers.7.self_attn';
  expect(
    ['q_a_proj', 'q_b_proj', 'q_a_layernorm', 'kv_a_proj_with_mqa', 'kv_a_layernorm', 'kv_b_proj', 'k_b_proj', 'v_b_proj', 'o_proj'].map((part) =>
      nameOf(`${name}.${part}.weight`),
    ),
  ).toEqual(['q_a', 'q_b', 'q_a_norm', 'kv_a_mqa', 'kv_a_norm', 'kv_b', 'k_b', 'v_b', 'output'].map((part) => `blk.7.attn_${part}.weight`));
});
