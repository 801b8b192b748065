/**
 * Qwen3.5 with experts: the layers of Qwen3.5 with the experts of Qwen3-Next. The text part of its files.
 * Source: Qwen3_5MoeForCausalLM of Hugging Face transformers; GGUF architecture `qwen35moe`.
 */
import type { Family } from './family.ts';
import { gatedDeltaGguf } from './gated_delta.ts';
import { type Qwen3NextConfig, qwen3Next, readMixed } from './qwen3_next.ts';

export const qwen3_5Moe: Family<Qwen3NextConfig> = {
  ...qwen3Next,
  name: 'qwen3_5_moe',
  modelTypes: ['qwen3_5_moe_text', 'qwen3_5_moe'],
  gguf: { ...gatedDeltaGguf, architecture: 'qwen35moe', keys: { ...gatedDeltaGguf.keys, linear_tiled_heads: () => true } },
  readConfig: (config) => readMixed(config, 'no'),
};
