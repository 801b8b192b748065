/**
 * GGUF files say the same as config.json does, and have tensors under the names of gguf-py's tables
 * (constants.py, tensor_mapping.py): keys and names here are copied from files that gguf-py 0.19 wrote.
 */
import { expect, test } from 'vitest';
import { families } from '../../../models/families.ts';
import type { Family, ModelShape } from '../../../models/family.ts';
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

const deepseekKeys: Readonly<Record<string, MetadataValue>> = {
  ...{ block_count: 61, context_length: 163_840, embedding_length: 7168, feed_forward_length: 18_432, leading_dense_block_count: 3 },
  ...{ 'attention.head_count': 128, 'attention.layer_norm_rms_epsilon': Math.fround(1e-6), 'attention.q_lora_rank': 1536, 'attention.kv_lora_rank': 512 },
  ...{ 'rope.freq_base': 10_000, 'rope.dimension_count': 64, 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 40 },
  ...{ 'rope.scaling.original_context_length': 4096, 'rope.scaling.yarn_beta_fast': 32, 'rope.scaling.yarn_beta_slow': 1 },
  // 0.1 times what config.json has twice.
  'rope.scaling.yarn_log_multiplier': Math.fround(0.1),
  ...{ expert_count: 256, expert_used_count: 8, expert_shared_count: 1, expert_feed_forward_length: 2048, expert_gating_func: 2 },
  ...{ expert_weights_scale: 2.5, expert_weights_norm: true, expert_group_count: 8, expert_group_used_count: 4 },
};

/** Values of the releases in models/releases. */
const cases: Readonly<Record<string, Case>> = {
  bert: {
    config: 'all-minilm-l6-v2',
    architecture: 'bert',
    keys: {
      ...{ block_count: 6, context_length: 512, embedding_length: 384, feed_forward_length: 1536, 'attention.head_count': 12 },
      ...{ 'attention.layer_norm_epsilon': Math.fround(1e-12), 'attention.causal': false, pooling_type: 1 },
    },
    tensors: [],
    vocabulary: 30_522,
  },
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
  // Keys and values of heads in one tensor, as files had them before 2025-04.
  deepseek_v3: {
    config: 'deepseek-v3',
    architecture: 'deepseek2',
    keys: { ...deepseekKeys, 'attention.head_count_kv': 128, 'attention.key_length': 192, 'attention.value_length': 128 },
    tensors: ['output.weight', 'blk.0.attn_kv_b.weight'],
    vocabulary: 129_280,
  },
  // A window of zero is none; the first Phi-3 had one.
  phi3: {
    config: 'phi-4',
    architecture: 'phi3',
    keys: {
      ...{ block_count: 40, context_length: 16_384, embedding_length: 5120, feed_forward_length: 17_920 },
      ...{ 'attention.head_count': 40, 'attention.head_count_kv': 10, 'attention.layer_norm_rms_epsilon': Math.fround(1e-5), 'attention.sliding_window': 0 },
      ...{ 'rope.freq_base': 250_000, 'rope.dimension_count': 128, 'rope.scaling.original_context_length': 16_384 },
    },
    tensors: ['output.weight'],
    vocabulary: 100_352,
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

function readGguf(family: Family, { architecture, keys, tensors, vocabulary }: Omit<Case, 'config'>): ModelShape {
  const header = (tensor: string): [string, TensorHeader] => [tensor, { name: tensor, storage: 'BF16', shape: [vocabulary, 32], offset: 0, size: 0 }];
  const metadata = new Map(Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value]));
  return family.readConfig(createGgufConfig({ metadata, tensors: new Map(['token_embd.weight', ...tensors].map(header)) }, family));
}

function readFolder(family: Family, config: string): ModelShape {
  return family.readConfig(createConfigReader(JSON.parse(readFixture(`configs/${config}.json`).toString('utf8'))));
}

test.each(Object.entries(cases))('%s: the same configuration as in a folder', (name, { config, ...file }) => {
  const family = findFamily(name);
  const folder = readFolder(family, config);
  // No file of GGUF says that vectors have another length than 1.
  const encoder = folder.encoder && { ...folder.encoder, isNormalized: true };
  expect(rounded(readGguf(family, file))).toEqual(rounded({ ...folder, ...(encoder && { encoder }) }));
});

const { deepseek_v3: whole } = cases;

test('bert: pooling by its number, vectors of length 1; what sees only what stands before it is refused', () => {
  const file = cases['bert'] as Case;
  const withKeys = (keys: Case['keys']): ModelShape => readGguf(findFamily('bert'), { ...file, keys: { ...file.keys, ...keys } });
  expect([withKeys({}).encoder, withKeys({ pooling_type: 2 }).encoder]).toEqual(['mean', 'cls'].map((pooling) => ({ pooling, isNormalized: true })));
  for (const keys of [{ pooling_type: 0 }, { pooling_type: 3 }, { pooling_type: 4 }, { pooling_type: 9 }, { 'attention.causal': true }])
    expect(() => withKeys(keys)).toThrow(expect.objectContaining({ code: 'model_unsupported' }));
});

test('deepseek_v3: keys and values of heads apart, whose attention is one over latents', () => {
  const family = findFamily('deepseek_v3');
  const latent = { 'attention.head_count_kv': 1, 'attention.key_length': 576, 'attention.value_length': 512 };
  const keys = { ...deepseekKeys, ...latent, 'attention.key_length_mla': 192, 'attention.value_length_mla': 128 };
  const file = readGguf(family, { ...(whole as Case), keys, tensors: ['output.weight', 'blk.0.attn_k_b.weight', 'blk.0.attn_v_b.weight'] });
  expect(rounded(file)).toEqual({ ...(rounded(readFolder(family, 'deepseek-v3')) as object), areKeysApart: true });
});

test('deepseek_v3: experts chosen by softmax are those of DeepSeek-V2, and refused', () => {
  const keys = { ...whole?.keys, expert_gating_func: 1 };
  expect(() => readGguf(findFamily('deepseek_v3'), { ...(whole as Case), keys })).toThrow(
    expect.objectContaining({ code: 'model_unsupported', fields: expect.objectContaining({ expected: 'sigmoid', found: 'softmax' }) }),
  );
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
  ['deepseek_v3', 'self_attn.q_a_proj.weight', 'attn_q_a.weight'],
  ['deepseek_v3', 'self_attn.q_b_proj.weight', 'attn_q_b.weight'],
  ['deepseek_v3', 'self_attn.q_a_layernorm.weight', 'attn_q_a_norm.weight'],
  ['deepseek_v3', 'self_attn.kv_a_proj_with_mqa.weight', 'attn_kv_a_mqa.weight'],
  ['deepseek_v3', 'self_attn.kv_a_layernorm.weight', 'attn_kv_a_norm.weight'],
  ['deepseek_v3', 'self_attn.kv_b_proj.weight', 'attn_kv_b.weight'],
  ['deepseek_v3', 'self_attn.k_b_proj.weight', 'attn_k_b.weight'],
  ['deepseek_v3', 'self_attn.v_b_proj.weight', 'attn_v_b.weight'],
  ['gpt_oss', 'post_attention_layernorm.weight', 'post_attention_norm.weight'],
  ['gpt_oss', 'mlp.router.bias', 'ffn_gate_inp.bias'],
  ['gpt_oss', 'mlp.experts.gate_up_proj.weight', 'ffn_gate_up_exps.weight'],
  ['gpt_oss', 'mlp.experts.up_proj_bias', 'ffn_up_exps.bias'],
  ['gpt_oss', 'self_attn.sinks', 'attn_sinks.weight'],
  ['gpt_oss', 'self_attn.o_proj.bias', 'attn_output.bias'],
])('%s: %s is %s', (name, tensor, expected) => {
  expect(createGgufNames(findFamily(name))(`model.layers.7.${tensor}`)).toBe(`blk.7.${expected}`);
});

test.each([
  ['embeddings.word_embeddings.weight', 'token_embd.weight'],
  ['embeddings.position_embeddings.weight', 'position_embd.weight'],
  ['embeddings.token_type_embeddings.weight', 'token_types.weight'],
  ['embeddings.LayerNorm.bias', 'token_embd_norm.bias'],
  ['encoder.layer.7.attention.self.query.bias', 'blk.7.attn_q.bias'],
  ['encoder.layer.7.attention.self.key.weight', 'blk.7.attn_k.weight'],
  ['encoder.layer.7.attention.self.value.weight', 'blk.7.attn_v.weight'],
  ['encoder.layer.7.attention.output.dense.weight', 'blk.7.attn_output.weight'],
  ['encoder.layer.7.attention.output.LayerNorm.weight', 'blk.7.attn_output_norm.weight'],
  ['encoder.layer.7.intermediate.dense.bias', 'blk.7.ffn_up.bias'],
  ['encoder.layer.7.output.dense.weight', 'blk.7.ffn_down.weight'],
  ['encoder.layer.7.output.LayerNorm.bias', 'blk.7.layer_output_norm.bias'],
])('bert: %s is %s', (tensor, expected) => {
  expect(createGgufNames(findFamily('bert'))(tensor)).toBe(expected);
});
