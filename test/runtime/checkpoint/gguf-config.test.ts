/**
 * GGUF files of mixtures of experts say the same as config.json does, and have tensors under the names of gguf-py's tables
 * (constants.py, tensor_mapping.py): keys and names here are copied from files that gguf-py 0.19 wrote.
 */
import { expect, test } from 'vitest';
import { families } from '../../../models/families.ts';
import type { Family } from '../../../models/family.ts';
import { createConfigReader } from '../../../runtime/checkpoint/config.ts';
import { createGgufConfig, createGgufNames } from '../../../runtime/checkpoint/gguf-config.ts';
import type { MetadataValue, TensorHeader } from '../../../runtime/checkpoint/types.ts';
import { readFixture } from '../../test-data.ts';

function findFamily(name: string): Family {
  const family = families.find((known) => known.name === name);
  if (family === undefined) throw new Error(`no family ${name}`);
  return family;
}

interface Case {
  readonly config: string;
  readonly architecture: string;
  readonly keys: Readonly<Record<string, MetadataValue>>;
  /** Tensors besides the embedding, whose rows are the vocabulary. */
  readonly tensors: readonly string[];
  readonly vocabulary: number;
}

const attention = (heads: number, kvHeads: number, headLength: number): Record<string, MetadataValue> => ({
  'attention.head_count': heads,
  'attention.head_count_kv': kvHeads,
  'attention.key_length': headLength,
  'attention.value_length': headLength,
});

/** Values of the releases in test/fixtures/configs. */
const cases: Readonly<Record<string, Case>> = {
  qwen3_moe: {
    config: 'qwen3-30b-a3b',
    architecture: 'qwen3moe',
    keys: {
      ...{ block_count: 48, context_length: 40_960, embedding_length: 2048, feed_forward_length: 6144, ...attention(32, 4, 128) },
      ...{ 'attention.layer_norm_rms_epsilon': Math.fround(1e-6), 'rope.freq_base': 1e6 },
      ...{ expert_count: 128, expert_used_count: 8, expert_feed_forward_length: 768 },
    },
    tensors: ['output.weight'],
    vocabulary: 151_936,
  },
  glm4_moe: {
    config: 'glm-4.5-air',
    architecture: 'glm4moe',
    keys: {
      // With the layer for multi-token prediction.
      ...{ block_count: 47, nextn_predict_layers: 1, context_length: 131_072, embedding_length: 4096, feed_forward_length: 10_944, ...attention(96, 8, 128) },
      ...{ 'attention.layer_norm_rms_epsilon': Math.fround(1e-5), 'rope.freq_base': 1e6, 'rope.dimension_count': 64 },
      ...{ expert_count: 128, expert_used_count: 8, expert_feed_forward_length: 1408, expert_shared_count: 1, leading_dense_block_count: 1 },
      ...{ expert_gating_func: 2, expert_weights_scale: 1, expert_weights_norm: true, expert_group_count: 1, expert_group_used_count: 1 },
    },
    tensors: ['output.weight', 'blk.0.attn_q.bias'],
    vocabulary: 151_552,
  },
  gpt_oss: {
    config: 'gpt-oss-20b',
    architecture: 'gpt-oss',
    keys: {
      ...{ block_count: 24, context_length: 131_072, embedding_length: 2880, feed_forward_length: 2880, ...attention(64, 8, 64) },
      ...{ 'attention.layer_norm_rms_epsilon': Math.fround(1e-5), 'attention.sliding_window': 128, 'rope.freq_base': 150_000 },
      ...{ expert_count: 32, expert_used_count: 4, expert_feed_forward_length: 2880 },
      ...{ 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 32, 'rope.scaling.original_context_length': 4096 },
      ...{ 'rope.scaling.yarn_beta_fast': 32, 'rope.scaling.yarn_beta_slow': 1 },
    },
    tensors: ['output.weight'],
    vocabulary: 201_088,
  },
};

/** Files of GGUF have f32. */
function rounded(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, found) => (typeof found === 'number' ? Math.fround(found) : found));
}

test.each(Object.entries(cases))('%s: the same configuration as in a folder', (name, { config, architecture, keys, tensors, vocabulary }) => {
  const family = findFamily(name);
  const header = (tensor: string): [string, TensorHeader] => [tensor, { name: tensor, storage: 'BF16', shape: [vocabulary, 32], offset: 0, size: 0 }];
  const metadata = new Map(Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value]));
  const file = createGgufConfig({ metadata, tensors: new Map(['token_embd.weight', ...tensors].map(header)) }, family);
  const folder = createConfigReader(JSON.parse(readFixture(`configs/${config}.json`).toString('utf8')));
  expect(rounded(family.readConfig(file))).toEqual(rounded(family.readConfig(folder)));
});

test.each([
  ['qwen3_moe', 'post_attention_layernorm.weight', 'ffn_norm.weight'],
  ['qwen3_moe', 'mlp.gate.weight', 'ffn_gate_inp.weight'],
  ['qwen3_moe', 'mlp.experts.gate_proj.weight', 'ffn_gate_exps.weight'],
  ['qwen3_moe', 'mlp.experts.down_proj.weight', 'ffn_down_exps.weight'],
  ['glm4_moe', 'post_attention_layernorm.weight', 'post_attention_norm.weight'],
  ['glm4_moe', 'mlp.up_proj.weight', 'ffn_up.weight'],
  ['glm4_moe', 'mlp.gate.e_score_correction_bias', 'exp_probs_b.bias'],
  ['glm4_moe', 'mlp.shared_experts.up_proj.weight', 'ffn_up_shexp.weight'],
  ['glm4_moe', 'self_attn.k_proj.bias', 'attn_k.bias'],
  ['glm4_moe', 'self_attn.q_norm.weight', 'attn_q_norm.weight'],
  ['gpt_oss', 'post_attention_layernorm.weight', 'post_attention_norm.weight'],
  ['gpt_oss', 'mlp.router.bias', 'ffn_gate_inp.bias'],
  ['gpt_oss', 'mlp.experts.gate_up_proj.weight', 'ffn_gate_up_exps.weight'],
  ['gpt_oss', 'mlp.experts.up_proj_bias', 'ffn_up_exps.bias'],
  ['gpt_oss', 'self_attn.sinks', 'attn_sinks.weight'],
  ['gpt_oss', 'self_attn.o_proj.bias', 'attn_output.bias'],
])('%s: %s is %s', (name, tensor, expected) => {
  expect(createGgufNames(findFamily(name))(`model.layers.7.${tensor}`)).toBe(`blk.7.${expected}`);
});
