/**
 * Owns what a configuration of Gemma 4 says: layers of two kinds with heads of their own, keys and values that several layers read, and a
 * second embedding. In GGUF files much of it is a list with a number a layer.
 */
import { type DecoderConfig, demandActivation, readDecoder, readWidth, readWindows } from './blocks.ts';
import type { GgufFacts, GgufForm, LayerCache, ModelConfig } from './family.ts';
import { type GemmaRopes, readRopes, readSoftCap, withDefaults } from './gemma.ts';

export interface Gemma4Layer {
  readonly headLength: number;
  readonly kvHeads: number;
  readonly window: number | undefined;
  /** Values are keys before norm and rotation. */
  readonly sharesKeys: boolean;
  /** Layer whose keys and values this one reads; undefined: its own. */
  readonly keysOf: number | undefined;
  /** Inner length of the feed-forward part. */
  readonly width: number;
}

export interface Gemma4Config extends DecoderConfig {
  readonly layers: readonly Gemma4Layer[];
  /** Of layers that see everything. */
  readonly fullHeadLength: number;
  readonly ropes: GemmaRopes;
  readonly logitCap: number | undefined;
  /** The second embedding: its rows, and how many numbers of one each layer gets. */
  readonly layerInput: { readonly vocabularySize: number; readonly length: number } | undefined;
}

/** Those of the reference's configuration class. */
const defaults = {
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  global_head_dim: 512,
  hidden_size_per_layer_input: 256,
  rms_norm_eps: 1e-6,
  max_position_embeddings: 131_072,
  vocab_size: 262_144,
  vocab_size_per_layer_input: 262_144,
};

export const gemma4Keys: NonNullable<GgufForm['keys']> = {
  head_dim: 'attention.key_length_swa',
  global_head_dim: 'attention.key_length',
  rope_local_base_freq: 'rope.freq_base_swa',
  num_kv_shared_layers: 'attention.shared_kv_layers',
  hidden_size_per_layer_input: (file) => file.number('embedding_length_per_layer_input') ?? 0,
  vocab_size_per_layer_input: (file) => file.number('vocab_size'),
  layer_types: (file) => file.numbers('attention.sliding_window_pattern')?.map((slides) => (slides ? 'sliding_attention' : 'full_attention')),
  // The first layer has a window, the last has none.
  num_key_value_heads: (file) => file.numbers('attention.head_count_kv')?.at(0),
  num_global_key_value_heads: (file) => file.numbers('attention.head_count_kv')?.at(-1),
  intermediate_size: (file) => file.numbers('feed_forward_length')?.at(0),
  use_double_wide_mlp: (file) => new Set(file.numbers('feed_forward_length')).size > 1,
  attention_k_eq_v: lacksValues,
};

/** Whether layers that see everything have no values of their own. */
function lacksValues(file: GgufFacts): boolean {
  const slides = file.numbers('attention.sliding_window_pattern') ?? [];
  const own = slides.length - (file.number('attention.shared_kv_layers') ?? 0);
  return slides.slice(0, own).some((isSliding, layer) => !isSliding && !file.hasTensor(`blk.${layer}.attn_v.weight`));
}

export function readGemma4(found: ModelConfig): Gemma4Config {
  const config = withDefaults(found, defaults);
  const decoder = readDecoder(config, { isTied: true });
  demandActivation(config, 'gelu_pytorch_tanh', 'hidden_activation');
  for (const key of ['attention_bias', 'enable_moe_block']) config.demand(!config.boolean(key, false), key, 'false', 'true');
  // Of images; there are none here.
  const attends = config.string('use_bidirectional_attention', 'vision');
  config.demand(attends === 'vision', 'use_bidirectional_attention', 'vision', attends);
  const fullHeadLength = config.integer('global_head_dim');
  config.demand(fullHeadLength % 8 === 0 && fullHeadLength <= 512, 'global_head_dim', 'a multiple of 8, at most 512', fullHeadLength);
  config.demand((decoder.heads * fullHeadLength) % 32 === 0, 'global_head_dim', 'heads of a multiple of 32 numbers in all', decoder.heads * fullHeadLength);
  const layers = readLayers(config, decoder, fullHeadLength);
  return {
    ...{ ...decoder, layers, fullHeadLength },
    caches: layers.map(({ keysOf, kvHeads, headLength, window }): LayerCache => {
      return keysOf === undefined ? { kind: 'kv', kvHeads, headLength, window } : { kind: 'none' };
    }),
    ropes: readRopes(config, { base: 1_000_000, scaling: { kind: 'proportional', part: 0.25 } }),
    logitCap: readSoftCap(config, 'final_logit_softcapping'),
    layerInput: readLayerInput(config, decoder),
  };
}

function readLayers(config: ModelConfig, { layerCount, heads, kvHeads, headLength }: DecoderConfig, fullHeadLength: number): Gemma4Layer[] {
  const windows = readWindows(config, layerCount, 6, 512);
  // Whatever the list says.
  windows[layerCount - 1] = undefined;
  const shared = config.number('num_kv_shared_layers', 0);
  config.demand(Number.isInteger(shared) && shared >= 0 && shared < layerCount, 'num_kv_shared_layers', `0 to ${layerCount - 1}`, shared);
  const sharesKeys = config.boolean('attention_k_eq_v', false);
  const fullKvHeads = sharesKeys ? config.integer('num_global_key_value_heads', kvHeads) : kvHeads;
  config.demand(heads % fullKvHeads === 0, 'num_global_key_value_heads', `a divisor of ${heads}`, fullKvHeads);
  const width = readWidth(config);
  const isDoubled = config.boolean('use_double_wide_mlp', false);
  const own = windows.slice(0, layerCount - shared);
  return windows.map((window, layer) => {
    const isFull = window === undefined;
    const isShared = layer >= own.length;
    const keysOf = isShared ? own.findLastIndex((other) => (other === undefined) === isFull) : undefined;
    config.demand(keysOf !== -1, 'num_kv_shared_layers', 'a layer of each kind before them', shared);
    const form = isFull ? { headLength: fullHeadLength, kvHeads: fullKvHeads, sharesKeys } : { headLength, kvHeads, sharesKeys: false };
    return { ...form, window, keysOf, width: isDoubled && isShared ? 2 * width : width };
  });
}

function readLayerInput(config: ModelConfig, { vocabularySize: needed }: DecoderConfig): Gemma4Config['layerInput'] {
  const length = config.number('hidden_size_per_layer_input');
  if (length === 0) return undefined;
  config.demand(Number.isInteger(length) && length > 0 && length % 4 === 0, 'hidden_size_per_layer_input', 'a multiple of 4', length);
  const vocabularySize = config.integer('vocab_size_per_layer_input');
  config.demand(vocabularySize >= needed, 'vocab_size_per_layer_input', `at least ${needed}`, vocabularySize);
  return { vocabularySize, length };
}
