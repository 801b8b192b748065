/** Owns the headers of a release of DeepSeek-V4 by its config.json: those that runtime/sizing lists, for configurations of any size. */
import { type DeepseekV4Shape, deepseekV4Scales, listDeepseekV4 } from '../runtime/sizing/deepseek-v4.ts';
import { listHeaders, type ReleasedHeader } from '../runtime/sizing/released.ts';

export type DirectoryConfig = Readonly<Record<string, unknown>> & { readonly compress_ratios: readonly number[] };

export function shapeOf(config: DirectoryConfig, name: string): DeepseekV4Shape {
  const n = (key: string): number => Number(config[key]);
  return {
    name,
    ...{ vocabulary: n('vocab_size'), width: n('hidden_size'), heads: n('num_attention_heads'), headLength: n('head_dim'), queryRank: n('q_lora_rank') },
    ...{ groups: n('o_groups'), groupRank: n('o_lora_rank'), window: n('sliding_window'), hashLayers: n('num_hash_layers') },
    ...{ indexHeads: n('index_n_heads'), indexLength: n('index_head_dim'), indexTop: n('index_topk') },
    ...{ experts: n('n_routed_experts'), chosen: n('num_experts_per_tok'), expertWidth: n('moe_intermediate_size') },
    ratios: config.compress_ratios,
  };
}

/** By name. */
export function createDirectory(config: DirectoryConfig): Map<string, ReleasedHeader> {
  return new Map(Array.from(listHeaders(listDeepseekV4(shapeOf(config, '')), deepseekV4Scales), (header) => [header.name, header]));
}
