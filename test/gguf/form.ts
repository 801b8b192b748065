/**
 * Owns what a converter to GGUF knows of every decoder: keys that config.json and GGUF both have, names of tensors, experts in one tensor.
 * Written from llama.cpp's converter (conversion/base.py) and gguf-py's tensor_mapping.py, and not from the reader's tables
 * (runtime/checkpoint/gguf-config.ts), so that one can be held against the other. Refuses tensors that have no name there.
 */
import type { SeededTensor } from '../seeded.ts';
import type { Value } from './model.ts';
import { stack } from './tensors.ts';

/** config.json; what is asked for as a number is one. */
export type Config = Readonly<Record<string, unknown>>;
export type Keys = Readonly<Record<string, Value | undefined>>;
type Named = readonly [name: string, tensor: SeededTensor];

/** How files of one family are made. */
export interface Form {
  readonly architecture: string;
  /** Those of `decoderKeys` that differ, and more; undefined: not in the file. */
  keys?(config: Config): Keys;
  /** Parts of a layer by their names in folders, where they differ from `layerNames`. */
  readonly names?: Readonly<Record<string, string>>;
  /** What becomes of a tensor, under names that folders have. Names here lack `model.`. */
  convert?(name: string, tensor: SeededTensor, config: Config): readonly Named[];
  /** Tensors that no folder has, under their names in the file. */
  extra?(config: Config): readonly Named[];
}

export const u32 = (value: unknown): Value | undefined => (value === undefined || value === null ? undefined : ['u32', value]);
export const f32 = (value: unknown): Value | undefined => (value === undefined || value === null ? undefined : ['f32', value]);

/** A number of the configuration; NaN where there is none, which no file can hold. */
export function numberOf(config: Config, key: string): number {
  return Number(config[key] ?? Number.NaN);
}

/** What is said of positions, wherever it stands. */
export function ropeOf(config: Config): Config {
  const parameters = config['rope_parameters'] as Config | undefined;
  return (
    (parameters?.['full_attention'] as Config | undefined) ?? parameters ?? { rope_theta: config['rope_theta'], ...(config['rope_scaling'] as Config | null) }
  );
}

function yarnKeys(rope: Config): Keys {
  if ((rope['rope_type'] ?? rope['type']) !== 'yarn') return {};
  return {
    'rope.scaling.type': ['string', 'yarn'],
    'rope.scaling.factor': f32(rope['factor']),
    'rope.scaling.original_context_length': u32(rope['original_max_position_embeddings']),
    'rope.scaling.yarn_beta_fast': f32(rope['beta_fast']),
    'rope.scaling.yarn_beta_slow': f32(rope['beta_slow']),
  };
}

/** What the converter writes of every text model. */
export function decoderKeys(config: Config): Keys {
  return {
    block_count: u32(config['num_hidden_layers']),
    context_length: u32(config['max_position_embeddings']),
    embedding_length: u32(config['hidden_size']),
    feed_forward_length: u32(config['intermediate_size']),
    'attention.head_count': u32(config['num_attention_heads']),
    'attention.head_count_kv': u32(config['num_key_value_heads']),
    'attention.key_length': u32(config['head_dim']),
    'attention.value_length': u32(config['head_dim']),
    'attention.layer_norm_rms_epsilon': f32(config['rms_norm_eps']),
    'rope.freq_base': f32(ropeOf(config)['rope_theta'] ?? config['rope_theta']),
    ...yarnKeys(ropeOf(config)),
    expert_count: u32(config['num_local_experts'] ?? config['num_experts'] ?? config['n_routed_experts']),
    expert_used_count: u32(config['num_experts_per_tok'] ?? config['top_k_experts']),
    expert_group_count: u32(config['n_group']),
    expert_group_used_count: u32(config['topk_group']),
  };
}

const layerNames: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  ...Object.fromEntries(['q', 'k', 'v'].map((part) => [`self_attn.${part}_proj`, `attn_${part}`])),
  ...Object.fromEntries(['q', 'k'].map((part) => [`self_attn.${part}_norm`, `attn_${part}_norm`])),
  'self_attn.o_proj': 'attn_output',
  'mlp.gate': 'ffn_gate_inp',
  'mlp.router': 'ffn_gate_inp',
  'mlp.gate.e_score_correction': 'exp_probs_b',
  ...Object.fromEntries(
    ['gate', 'up', 'down'].flatMap((part) => [
      [`mlp.${part}_proj`, `ffn_${part}`],
      [`mlp.experts.${part}_proj`, `ffn_${part}_exps`],
      [`mlp.shared_expert.${part}_proj`, `ffn_${part}_shexp`],
      [`mlp.shared_experts.${part}_proj`, `ffn_${part}_shexp`],
    ]),
  ),
};

const outerNames: Readonly<Record<string, string>> = { lm_head: 'output', embed_tokens: 'token_embd', norm: 'output_norm' };

/** The name in the file. */
export function ggufName(name: string, own: Form['names'] = {}): string {
  const [, layer, stem = '', suffix = ''] = /^(?:layers\.(\d+)\.)?(.*?)(\.weight|\.bias|\.scale)?$/.exec(name) ?? [];
  const table = layer === undefined ? { ...outerNames, ...own } : { ...layerNames, ...own };
  const found = table[stem];
  if (found === undefined) throw new Error(`no name in GGUF for ${name}`);
  return `${layer === undefined ? '' : `blk.${layer}.`}${found}${suffix}`;
}

/** One tensor of all experts in place of one for each. */
export function joinExperts(tensors: ReadonlyMap<string, SeededTensor>): Map<string, SeededTensor> {
  const joined = new Map<string, SeededTensor>();
  const experts = new Map<string, SeededTensor[]>();
  for (const [name, tensor] of tensors) {
    const [, before, number, after] = /^(.*\.experts\.)(\d+)\.(.*)$/.exec(name) ?? [];
    if (number === undefined) {
      joined.set(name, tensor);
      continue;
    }
    const all = experts.get(`${before}${after}`) ?? [];
    all[Number(number)] = tensor;
    experts.set(`${before}${after}`, all);
  }
  for (const [name, all] of experts) joined.set(name, stack(all));
  return joined;
}
