/** Owns how files of Gemma 2, 3 and 4 are made. Source: llama.cpp's converter, conversion/gemma.py. */
import { type Config, type Form, f32, type Keys, numberOf, ropeOf, u32 } from './form.ts';
import type { Value } from './model.ts';
import { mapValues } from './tensors.ts';

const blockNames = {
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};

/** Norms multiply by 1 + w. */
const addOne: NonNullable<Form['convert']> = (name, tensor) => [[name, name.endsWith('norm.weight') ? mapValues(tensor, (value) => value + 1) : tensor]];

const gemma2: Form = {
  architecture: 'gemma2',
  names: blockNames,
  convert: addOne,
  keys: (config) => ({
    'rope.freq_base': undefined,
    'attention.sliding_window': u32(config['sliding_window']),
    attn_logit_softcapping: f32(config['attn_logit_softcapping']),
    final_logit_softcapping: f32(config['final_logit_softcapping']),
  }),
};

/** The file says nothing of what queries are divided by, which is the root of a head's length: what is more of it is multiplied to their norm. */
const gemma3: Form = {
  architecture: 'gemma3',
  names: blockNames,
  convert(name, tensor, config) {
    const growth = Math.sqrt(numberOf(config, 'head_dim') / numberOf(config, 'query_pre_attn_scalar'));
    const found = addOne(name, tensor, config);
    return name.endsWith('q_norm.weight') ? found.map(([own, values]) => [own, mapValues(values, (value) => value * growth)] as const) : found;
  },
  keys: (config) => ({
    'attention.sliding_window': u32(config['sliding_window']),
    // Read by llama.cpp where it is there; the converter leaves it out, releases have six.
    'attention.sliding_window_pattern': u32(config['sliding_window_pattern']),
    'rope.freq_base_swa': f32(config['rope_local_base_freq']),
  }),
};

/** A number a layer where layers differ. */
function layerKeys(config: Config): Keys {
  const slides = (config['layer_types'] as readonly string[]).map((type) => type === 'sliding_attention');
  const [width, shared] = [numberOf(config, 'intermediate_size'), numberOf(config, 'num_kv_shared_layers')];
  const [own, full] = [config['num_key_value_heads'], config['num_global_key_value_heads']];
  const list = (values: readonly unknown[], type: 'i32' | 'bool' = 'i32'): Value => ['array', values, type];
  return {
    'attention.sliding_window_pattern': list(slides, 'bool'),
    ...(config['use_double_wide_mlp'] === true && {
      feed_forward_length: list(slides.map((_, layer) => (layer < slides.length - shared ? width : 2 * width))),
    }),
    ...(full !== null && { 'attention.head_count_kv': list(slides.map((isSliding) => (isSliding ? own : full))) }),
  };
}

const gemma4: Form = {
  architecture: 'gemma4',
  names: {
    ...blockNames,
    embed_tokens_per_layer: 'per_layer_token_embd',
    per_layer_model_projection: 'per_layer_model_proj',
    per_layer_projection_norm: 'per_layer_proj_norm',
    per_layer_input_gate: 'inp_gate',
    per_layer_projection: 'proj',
    post_per_layer_input_norm: 'post_norm',
    pre_feedforward_layernorm_2: 'pre_ffw_norm_2',
    post_feedforward_layernorm_1: 'post_ffw_norm_1',
    post_feedforward_layernorm_2: 'post_ffw_norm_2',
    'router.proj': 'ffn_gate_inp',
    router: 'ffn_gate_inp',
    'router.per_expert': 'ffn_down_exps',
    'experts.gate_up_proj': 'ffn_gate_up_exps',
    'experts.down_proj': 'ffn_down_exps',
    layer_scalar: 'layer_output_scale',
  },
  convert(name, tensor) {
    if (/(?:experts\.\w+_proj|layer_scalar)$/.test(name)) return [[`${name}.weight`, tensor]];
    return [[name.replace(/router\.per_expert_scale$/, 'router.per_expert.scale'), tensor]];
  },
  keys: (config) => ({
    ...layerKeys(config),
    'attention.sliding_window': u32(config['sliding_window']),
    'attention.shared_kv_layers': u32(config['num_kv_shared_layers']),
    'attention.key_length': u32(config['global_head_dim']),
    'attention.value_length': u32(config['global_head_dim']),
    'attention.key_length_swa': u32(config['head_dim']),
    'attention.value_length_swa': u32(config['head_dim']),
    'rope.dimension_count': u32(config['global_head_dim']),
    'rope.dimension_count_swa': u32(config['head_dim']),
    'rope.freq_base_swa': f32((config['rope_parameters'] as Record<string, Config>)['sliding_attention']?.['rope_theta']),
    embedding_length_per_layer_input: u32(config['hidden_size_per_layer_input']),
    final_logit_softcapping: f32(config['final_logit_softcapping']),
    expert_feed_forward_length: u32(config['moe_intermediate_size']),
  }),
  /** Divisors of frequencies of layers that see everything: channels that do not turn have a large one. */
  extra(config) {
    const half = numberOf(config, 'global_head_dim') / 2;
    const turning = half * numberOf(ropeOf(config), 'partial_rotary_factor');
    return [['rope_freqs.weight', { shape: [half], values: Float32Array.from({ length: half }, (_, i) => (i < turning ? 1 : 1e30)) }]];
  },
};

export const gemmaForms: Readonly<Record<string, Form>> = { gemma2, gemma3_text: gemma3, gemma4_text: gemma4 };
