/**
 * Owns what Qwen3-Next and Qwen3.5 share: most layers are gated DeltaNet (Yang et al. 2024), the others attention whose output is gated.
 * Sources: Qwen3NextForCausalLM and Qwen3_5ForCausalLM of Hugging Face transformers. Refuses their feed-forward parts.
 */
import { type DeltaShape, deltaChannels, deltaStateLength } from '../kernels/delta.ts';
import type { Slice, Vectors } from '../kernels/kernel.ts';
import {
  addAttention,
  attentionSpecs,
  type DecoderConfig,
  demandActivation,
  matrix,
  type RopeConfig,
  readDecoder,
  readRope,
  readRotaryLength,
  vector,
} from './blocks.ts';
import type { GgufForm, LayerCache, ModelConfig, TensorRule, WeightSpec, Weights } from './family.ts';
import type { Graph } from './graph.ts';

export interface GatedDeltaConfig extends DecoderConfig {
  readonly rotaryLength: number;
  readonly rope: RopeConfig;
  readonly delta: DeltaShape;
}

/** All norms of these families but that of the DeltaNet's output. */
export const offset = { isOffset: true } as const;

/** `grouped`: see DeltaShape. */
export function readGatedDelta(config: ModelConfig, grouped: DeltaShape['grouped']): GatedDeltaConfig {
  const decoder = readDecoder(config);
  demandActivation(config, 'silu');
  config.demand(!config.boolean('attention_bias', false), 'attention_bias', 'false', 'true');
  config.demand(config.boolean('attn_output_gate', true), 'attn_output_gate', 'true', 'false');
  const gate = config.string('output_gate_type', 'swish');
  config.demand(gate === 'swish' || gate === 'silu', 'output_gate_type', 'swish', gate);
  config.demand(!config.boolean('use_sliding_window', false), 'use_sliding_window', 'false', 'true');
  const { kvHeads, headLength } = decoder;
  const delta = readDelta(config, grouped);
  const state: LayerCache = { kind: 'state', length: deltaStateLength(delta) };
  const parameters = config.object('rope_parameters');
  const rotary = parameters?.has('partial_rotary_factor') ? parameters : config;
  return {
    ...decoder,
    rotaryLength: readRotaryLength(rotary, headLength, 0.25),
    rope: readRope(config),
    delta,
    caches: readKinds(config, decoder.layerCount).map((isDelta) => (isDelta ? state : { kind: 'kv', kvHeads, headLength })),
  };
}

function readDelta(config: ModelConfig, grouped: DeltaShape['grouped']): DeltaShape {
  const [keyHeads, valueHeads] = [config.integer('linear_num_key_heads'), config.integer('linear_num_value_heads')];
  const [keyLength, valueLength] = [config.integer('linear_key_head_dim'), config.integer('linear_value_head_dim')];
  const taps = config.integer('linear_conv_kernel_dim');
  config.demand(valueHeads % keyHeads === 0 && valueHeads % 4 === 0, 'linear_num_value_heads', `a multiple of ${keyHeads}, and of 4`, valueHeads);
  config.demand(keyLength % 4 === 0 && keyLength <= 256, 'linear_key_head_dim', 'a multiple of 4, at most 256', keyLength);
  config.demand(
    valueLength % 4 === 0 && (valueHeads * valueLength) % 32 === 0,
    'linear_value_head_dim',
    'heads of a multiple of 32 numbers in all',
    valueLength,
  );
  config.demand(taps >= 2 && taps <= 8, 'linear_conv_kernel_dim', 'from 2 to 8', taps);
  return { keyHeads, valueHeads, keyLength, valueLength, taps, grouped, isTiled: config.boolean('linear_tiled_heads', false) };
}

/** Whether each layer is DeltaNet. */
function readKinds(config: ModelConfig, layerCount: number): boolean[] {
  const [delta, full] = ['linear_attention', 'full_attention'];
  const interval = config.integer('full_attention_interval', 4);
  const kinds = config.strings('layer_types') ?? Array.from({ length: layerCount }, (_, layer) => ((layer + 1) % interval === 0 ? full : delta));
  config.demand(kinds.length === layerCount, 'layer_types', layerCount, kinds.length);
  const other = kinds.find((kind) => kind !== delta && kind !== full);
  config.demand(other === undefined, 'layer_types', `${delta}, ${full}`, other ?? '');
  config.demand(!config.has('recurrent_layers'), 'recurrent_layers', 'full_attention_interval', 'a list');
  return kinds.map((kind) => kind === delta);
}

/** Of a layer: all but its feed-forward part. */
export function mixerSpecs(c: GatedDeltaConfig, layer: number): [string, WeightSpec][] {
  if (c.caches[layer]?.kind === 'state') return deltaSpecs(c, layer);
  const name = `model.layers.${layer}.self_attn`;
  return [
    ...attentionSpecs(c, layer, { norm: offset, queryPitch: 2 * c.headLength }),
    [`${layer} query norm`, vector(`${name}.q_norm`, c.headLength, offset)],
    [`${layer} key norm`, vector(`${name}.k_norm`, c.headLength, offset)],
  ];
}

function deltaSpecs({ delta, embeddingLength }: GatedDeltaConfig, layer: number): [string, WeightSpec][] {
  const name = `model.layers.${layer}.linear_attn`;
  const { valueHeads, valueLength, taps, grouped } = delta;
  const channels = deltaChannels(delta);
  const width = valueHeads * valueLength;
  const wide: [string, number][] = [
    [`${name}.in_proj_qkv`, channels],
    [`${name}.in_proj_z`, width],
  ];
  const rates: [string, number][] = [
    [`${name}.in_proj_b`, valueHeads],
    [`${name}.in_proj_a`, valueHeads],
  ];
  const parts: [string, number][] = [
    ...(grouped === 'all' ? [[`${name}.in_proj_qkvz`, channels + width] satisfies [string, number]] : wide),
    ...(grouped === 'no' ? rates : [[`${name}.in_proj_ba`, 2 * valueHeads] satisfies [string, number]]),
  ];
  return [
    [`${layer} attention norm`, vector(`model.layers.${layer}.input_layernorm`, embeddingLength, offset)],
    [`${layer} projections`, matrix(embeddingLength, ...parts)],
    [`${layer} taps`, { kind: 'vector', parts: [{ tensor: `${name}.conv1d.weight`, rows: channels }], columns: taps }],
    [`${layer} rates`, { kind: 'vector', parts: [{ tensor: `${name}.A_log`, rows: valueHeads }], isLogarithm: true }],
    [`${layer} rate biases`, { kind: 'vector', parts: [{ tensor: `${name}.dt_bias`, rows: valueHeads }] }],
    [`${layer} delta norm`, vector(`${name}.norm`, valueLength)],
    [`${layer} attention output`, matrix(width, [`${name}.out_proj`, embeddingLength])],
  ];
}

/** x + output(DeltaNet or gated attention) of the normed x, with what `mixerSpecs` lists. */
export function addMixer(c: GatedDeltaConfig, w: Weights, g: Graph, layer: number, x: Vectors, rotation: Slice): Vectors {
  const { epsilon } = c;
  if (c.caches[layer]?.kind !== 'state') {
    const norm = { query: w.vector(`${layer} query norm`), key: w.vector(`${layer} key norm`), epsilon };
    const options = { pairs: 'halfSplit', norm, queryPitch: 2 * c.headLength } as const;
    return addAttention(c, w, g, layer, x, { ...c, options, outputGate: 'sigmoid' }, rotation);
  }
  const y = g.deltaRule(layer, x, { weight: w.vector(`${layer} attention norm`), epsilon }, w.matrix(`${layer} projections`), {
    shape: c.delta,
    taps: w.vector(`${layer} taps`),
    rates: w.vector(`${layer} rates`),
    rateBiases: w.vector(`${layer} rate biases`),
    outputNorm: { weight: w.vector(`${layer} delta norm`), epsilon },
  });
  return g.addLinear(x, w.matrix(`${layer} attention output`), y);
}

const tensors: readonly TensorRule[] = [
  [/^model\.layers\.(\d+)\.post_attention_layernorm\./, 'blk.$1.post_attention_norm.'],
  [/^model\.layers\.(\d+)\.mlp\.shared_expert\.(gate|up|down)_proj\./, 'blk.$1.ffn_$2_shexp.'],
  [/^model\.layers\.(\d+)\.mlp\.shared_expert_gate\./, 'blk.$1.ffn_gate_inp_shexp.'],
  [/^model\.layers\.(\d+)\.linear_attn\.in_proj_qkvz\./, 'blk.$1.ssm_in.'],
  [/^model\.layers\.(\d+)\.linear_attn\.in_proj_ba\./, 'blk.$1.ssm_ba.'],
  [/^model\.layers\.(\d+)\.linear_attn\.in_proj_qkv\./, 'blk.$1.attn_qkv.'],
  [/^model\.layers\.(\d+)\.linear_attn\.in_proj_z\./, 'blk.$1.attn_gate.'],
  [/^model\.layers\.(\d+)\.linear_attn\.in_proj_a\./, 'blk.$1.ssm_alpha.'],
  [/^model\.layers\.(\d+)\.linear_attn\.in_proj_b\./, 'blk.$1.ssm_beta.'],
  [/^model\.layers\.(\d+)\.linear_attn\.A_log$/, 'blk.$1.ssm_a'],
  [/^model\.layers\.(\d+)\.linear_attn\.dt_bias$/, 'blk.$1.ssm_dt.bias'],
  [/^model\.layers\.(\d+)\.linear_attn\.(conv1d|norm)\./, 'blk.$1.ssm_$2.'],
  [/^model\.layers\.(\d+)\.linear_attn\.out_proj\./, 'blk.$1.ssm_out.'],
];

/** What GGUF files of these families have in common; layers that guess further tokens count as layers there. */
export const gatedDeltaGguf: Pick<Required<GgufForm>, 'keys' | 'tensors'> = {
  keys: {
    num_hidden_layers: (file) => (file.number('block_count') ?? 0) - (file.number('nextn_predict_layers') ?? 0),
    full_attention_interval: 'full_attention_interval',
    recurrent_layers: 'attention.recurrent_layers',
    linear_num_key_heads: 'ssm.group_count',
    linear_num_value_heads: 'ssm.time_step_rank',
    linear_key_head_dim: 'ssm.state_size',
    linear_value_head_dim: (file) => (file.number('ssm.inner_size') ?? 0) / (file.number('ssm.time_step_rank') ?? 1),
    linear_conv_kernel_dim: 'ssm.conv_kernel',
    shared_expert_intermediate_size: 'expert_shared_feed_forward_length',
    // Weights of chosen experts always add up to one there.
    norm_topk_prob: () => true,
  },
  tensors,
};
