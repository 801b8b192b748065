/** Owns how files of each family are made; those of Gemma and of gated DeltaNets have files of their own. Source: llama.cpp's converter (conversion/). */
import type { SeededTensor } from '../seeded.ts';
import { deltaForms, guessingTensor } from './delta.ts';
import { type Config, type Form, f32, numberOf, ropeOf, u32 } from './form.ts';
import { gemmaForms } from './gemma.ts';
import { pickRows, range, reshape, swapBlocks, transpose } from './tensors.ts';

/** Heads from two halves to pairs side by side. */
function pairRows(tensor: SeededTensor, heads: number): SeededTensor {
  const length = (tensor.shape[0] ?? 0) / heads;
  const rows = swapBlocks(2, length / 2, 1);
  return pickRows(
    tensor,
    range(heads).flatMap((head) => rows.map((row) => head * length + row)),
  );
}

/** `llama` and those that the converter makes as it. */
function llamaForm(architecture: string, keys: Form['keys'] = () => ({})): Form {
  return {
    architecture,
    convert(name, tensor, config) {
      const [, part] = /self_attn\.([qk])_proj\.weight$/.exec(name) ?? [];
      if (part === undefined) return [[name, tensor]];
      return [[name, pairRows(tensor, numberOf(config, part === 'q' ? 'num_attention_heads' : 'num_key_value_heads'))]];
    },
    keys: (config) => ({
      vocab_size: u32(config['vocab_size']),
      'rope.dimension_count': u32(config['head_dim'] ?? numberOf(config, 'hidden_size') / numberOf(config, 'num_attention_heads')),
      ...keys(config),
    }),
  };
}

const phi3: Form = {
  architecture: 'phi3',
  names: { 'self_attn.qkv_proj': 'attn_qkv', 'mlp.gate_up_proj': 'ffn_up' },
  keys(config) {
    const [length, original] = [numberOf(config, 'max_position_embeddings'), numberOf(config, 'original_max_position_embeddings')];
    const headLength = numberOf(config, 'hidden_size') / numberOf(config, 'num_attention_heads');
    return {
      'rope.dimension_count': u32(headLength * numberOf(config, 'partial_rotary_factor')),
      // No type of scaling: tensors of factors say it.
      'rope.scaling.original_context_length': u32(original),
      'rope.scaling.attn_factor': f32(Math.sqrt(1 + Math.log(length / original) / Math.log(original))),
      'attention.sliding_window': u32(config['sliding_window'] ?? 0),
    };
  },
  extra(config) {
    const scaling = config['rope_scaling'] as Record<string, readonly number[]>;
    return ['long', 'short'].map((list) => {
      const values = Float32Array.from(scaling[`${list}_factor`] ?? []);
      return [`rope_factors_${list}.weight`, { shape: [values.length], values }] as const;
    });
  },
};

/** The bias that chooses experts has a name of its own. */
const nameBias: NonNullable<Form['convert']> = (name, tensor) => [[name.replace('e_score_correction_bias', 'e_score_correction.bias'), tensor]];

/** Of experts that are chosen by sigmoids. */
const sigmoidKeys: NonNullable<Form['keys']> = (config) => ({
  expert_feed_forward_length: u32(config['moe_intermediate_size']),
  expert_shared_count: u32(config['n_shared_experts']),
  expert_gating_func: u32(2),
  expert_weights_scale: f32(config['routed_scaling_factor']),
  expert_weights_norm: ['bool', config['norm_topk_prob']],
  leading_dense_block_count: u32(config['first_k_dense_replace']),
});

const glm4Moe: Form = {
  architecture: 'glm4moe',
  names: { post_attention_layernorm: 'post_attention_norm' },
  keys: (config) => ({
    ...sigmoidKeys(config),
    block_count: u32(numberOf(config, 'num_hidden_layers') + numberOf(config, 'num_nextn_predict_layers')),
    nextn_predict_layers: u32(config['num_nextn_predict_layers']),
    'rope.dimension_count': u32(numberOf(config, 'head_dim') * numberOf(config, 'partial_rotary_factor')),
  }),
  convert: nameBias,
  extra: guessingTensor,
};

/** Rows of gate and up take turns, and columns stand before rows. */
const gptOss: Form = {
  architecture: 'gpt-oss',
  names: { post_attention_layernorm: 'post_attention_norm', 'self_attn.sinks': 'attn_sinks' },
  keys: (config) => ({ 'attention.sliding_window': u32(config['sliding_window']), expert_feed_forward_length: u32(config['intermediate_size']) }),
  convert(name, tensor) {
    if (name.endsWith('sinks')) return [[`${name}.weight`, tensor]];
    const [, stem, part, bias] = /^(.*\.experts\.)(gate_up|down)_proj(_bias)?$/.exec(name) ?? [];
    if (part === undefined) return [[name, tensor]];
    const suffix = bias === undefined ? 'weight' : 'bias';
    const whole = bias === undefined ? transpose(tensor) : tensor;
    if (part === 'down') return [[`${stem}down_proj.${suffix}`, whole]];
    const [experts = 0, rows = 0, ...columns] = whole.shape;
    const every = (first: number): SeededTensor =>
      reshape(
        pickRows(
          reshape(whole, [experts * rows, ...columns]),
          range((experts * rows) / 2).map((row) => 2 * row + first),
        ),
        [experts, rows / 2, ...columns],
      );
    return [[`${stem}gate_proj.${suffix}`, every(0)] as const, [`${stem}up_proj.${suffix}`, every(1)] as const];
  },
};

/** Keys and values of heads apart, keys as they are multiplied with queries. */
function splitHeads(name: string, tensor: SeededTensor, config: Config): [string, SeededTensor][] {
  const [heads, plain, value] = ['num_attention_heads', 'qk_nope_head_dim', 'v_head_dim'].map((key) => numberOf(config, key)) as [number, number, number];
  const latent = numberOf(config, 'kv_lora_rank');
  const rows = (from: number, length: number): SeededTensor => {
    const picked = range(heads).flatMap((head) => range(length).map((row) => head * (plain + value) + from + row));
    return reshape(pickRows(tensor, picked), [heads, length, latent]);
  };
  return [
    [name.replace('kv_b_proj', 'k_b_proj'), transpose(rows(0, plain))],
    [name.replace('kv_b_proj', 'v_b_proj'), rows(plain, value)],
  ];
}

const deepseekV3: Form = {
  architecture: 'deepseek2',
  names: {
    ...Object.fromEntries(['q_a', 'q_b', 'k_b', 'v_b'].map((part) => [`self_attn.${part}_proj`, `attn_${part}`])),
    ...Object.fromEntries(['q_a', 'kv_a'].map((part) => [`self_attn.${part}_layernorm`, `attn_${part}_norm`])),
    'self_attn.kv_a_proj_with_mqa': 'attn_kv_a_mqa',
  },
  keys(config) {
    const [latent, turning] = [numberOf(config, 'kv_lora_rank'), numberOf(config, 'qk_rope_head_dim')];
    return {
      ...sigmoidKeys(config),
      vocab_size: u32(config['vocab_size']),
      'attention.head_count_kv': u32(1),
      'attention.q_lora_rank': u32(config['q_lora_rank']),
      'attention.kv_lora_rank': u32(latent),
      'attention.key_length': u32(latent + turning),
      'attention.value_length': u32(latent),
      'attention.key_length_mla': u32(numberOf(config, 'qk_nope_head_dim') + turning),
      'attention.value_length_mla': u32(config['v_head_dim']),
      'rope.dimension_count': u32(turning),
      'rope.scaling.yarn_log_multiplier': f32(0.1 * numberOf(ropeOf(config), 'mscale_all_dim')),
    };
  },
  convert: (name, tensor, config) => (name.endsWith('kv_b_proj.weight') ? splitHeads(name, tensor, config) : nameBias(name, tensor, config)),
};

const glmMoeDsa: Form = {
  ...deepseekV3,
  architecture: 'glm-dsa',
  names: {
    ...deepseekV3.names,
    'self_attn.indexer.wq_b': 'indexer.attn_q_b',
    'self_attn.indexer.wk': 'indexer.attn_k',
    'self_attn.indexer.weights_proj': 'indexer.proj',
    'self_attn.indexer.k_norm': 'indexer.k_norm',
  },
  keys: (config) => ({
    ...deepseekV3.keys?.(config),
    'rope.scaling.yarn_log_multiplier': undefined,
    block_count: u32(numberOf(config, 'num_hidden_layers') + numberOf(config, 'num_nextn_predict_layers')),
    nextn_predict_layers: u32(config['num_nextn_predict_layers']),
    'attention.indexer.head_count': u32(config['index_n_heads']),
    'attention.indexer.key_length': u32(config['index_head_dim']),
    'attention.indexer.top_k': u32(config['index_topk']),
  }),
};

/** By `model_type` of the text part. */
export const forms: Readonly<Record<string, Form>> = {
  ...deltaForms,
  ...gemmaForms,
  deepseek_v3: deepseekV3,
  glm4_moe: glm4Moe,
  glm_moe_dsa: glmMoeDsa,
  gpt_oss: gptOss,
  ministral3: llamaForm('mistral3', (config) => ({
    'rope.scaling.yarn_log_multiplier': f32(ropeOf(config)['mscale_all_dim']),
    'attention.temperature_scale': f32(ropeOf(config)['llama_4_scaling_beta']),
  })),
  // The converter leaves the window out, with which the file says of the first Mistral what its makers do.
  mistral: llamaForm('llama', (config) => ({ 'attention.sliding_window': u32(config['sliding_window']) })),
  phi3,
  qwen2: { architecture: 'qwen2' },
  qwen3: { architecture: 'qwen3' },
  qwen3_moe: { architecture: 'qwen3moe', keys: (config) => ({ expert_feed_forward_length: u32(config['moe_intermediate_size']) }) },
  smollm3: llamaForm('smollm3'),
};
