/**
 * DeepSeek-V3 (DeepSeek-AI 2024), R1, and Kimi K2: multi-head latent attention, and behind the first layers experts chosen by sigmoids within groups,
 * with one that every token has (latent.ts).
 * Source: DeepseekV3ForCausalLM of Hugging Face transformers. The layers behind the last, for multi-token prediction, are left out.
 */
import type { Family, GgufFacts } from './family.ts';
import { forwardLatent, type LatentConfig, latentWeights, readLatentConfig } from './latent.ts';

function growthOf(file: GgufFacts): number | undefined {
  const multiplier = file.number('rope.scaling.yarn_log_multiplier');
  return multiplier === undefined ? undefined : multiplier * 10;
}

export const deepseekV3: Family<LatentConfig> = {
  name: 'deepseek_v3',
  modelTypes: ['deepseek_v3', 'kimi_k2'],
  gguf: {
    architecture: 'deepseek2',
    keys: {
      q_lora_rank: 'attention.q_lora_rank',
      kv_lora_rank: 'attention.kv_lora_rank',
      qk_rope_head_dim: 'rope.dimension_count',
      // Files with keys and values apart call the heads of attention over latents key_length and value_length.
      qk_nope_head_dim: (file) =>
        (file.number('attention.key_length_mla') ?? file.number('attention.key_length') ?? 0) - (file.number('rope.dimension_count') ?? 0),
      v_head_dim: (file) => file.number('attention.value_length_mla') ?? file.number('attention.value_length'),
      kv_b_proj_split: (file) => !file.hasTensor('blk.0.attn_kv_b.weight') && file.hasTensor('blk.0.attn_k_b.weight'),
      // 2 stands for a sigmoid; files without it are of DeepSeek-V2.
      scoring_func: (file) => (file.number('expert_gating_func') === 2 ? 'sigmoid' : 'softmax'),
      // Written as what the logarithm is multiplied by. Releases have the same number twice, so that it cancels; files keep one.
      mscale_all_dim: growthOf,
      mscale: growthOf,
    },
    tensors: [
      [/^model\.layers\.(\d+)\.self_attn\.q_(a|b)_proj\./, 'blk.$1.attn_q_$2.'],
      [/^model\.layers\.(\d+)\.self_attn\.(q|kv)_a_layernorm\./, 'blk.$1.attn_$2_a_norm.'],
      [/^model\.layers\.(\d+)\.self_attn\.kv_a_proj_with_mqa\./, 'blk.$1.attn_kv_a_mqa.'],
      [/^model\.layers\.(\d+)\.self_attn\.(k|v|kv)_b_proj\./, 'blk.$1.attn_$2_b.'],
    ],
  },

  readConfig: readLatentConfig,
  weights: (c) => latentWeights(c),
  forward: (c, w, g) => forwardLatent(c, w, g),
};
