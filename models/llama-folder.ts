/**
 * The Llama family as a folder: LlamaForCausalLM of Hugging Face transformers, with its rotary halves and its llama3 frequencies
 * (modeling_rope_utils.py). Other scalings, biases and activations are refused by name.
 */
import type { ConfigReader, FolderForm, FolderModel } from './folder.ts';
import { llama3Share } from './rope.ts';

const prefixes: readonly (readonly [ours: RegExp, theirs: string])[] = [
  [/^token_embd\./, 'model.embed_tokens.'],
  [/^output_norm\./, 'model.norm.'],
  [/^output\./, 'lm_head.'],
  [/^blk\.(\d+)\.attn_norm\./, 'model.layers.$1.input_layernorm.'],
  [/^blk\.(\d+)\.ffn_norm\./, 'model.layers.$1.post_attention_layernorm.'],
  [/^blk\.(\d+)\.attn_output\./, 'model.layers.$1.self_attn.o_proj.'],
  [/^blk\.(\d+)\.attn_([qkv])\./, 'model.layers.$1.self_attn.$2_proj.'],
  [/^blk\.(\d+)\.ffn_(gate|up|down)\./, 'model.layers.$1.mlp.$2_proj.'],
];

export const llamaFolder: FolderForm = {
  modelType: 'llama',

  read(config) {
    const heads = config.integer('num_attention_heads');
    const embeddingLength = config.integer('hidden_size');
    const headLength = config.integer('head_dim', embeddingLength / heads);
    const rotaryPart = config.number('partial_rotary_factor', 1);
    config.demand(rotaryPart > 0 && rotaryPart <= 1, 'partial_rotary_factor', 'above 0, at most 1', rotaryPart);
    const rotaryLength = Math.floor(headLength * rotaryPart);
    config.demand(config.string('hidden_act', 'silu') === 'silu', 'hidden_act', 'silu', config.string('hidden_act', 'silu'));
    for (const key of ['attention_bias', 'mlp_bias']) config.demand(!config.boolean(key, false), key, 'false', 'true');
    const isTied = config.boolean('tie_word_embeddings', false);
    const { base, divisors } = readRope(config, rotaryLength);
    const layerCount = config.integer('num_hidden_layers');
    const vocabularySize = config.integer('vocab_size');
    const kvHeads = config.integer('num_key_value_heads', heads);
    const feedForwardLength = config.integer('intermediate_size');
    const layerLength = embeddingLength * (2 * (heads + kvHeads) * headLength + 3 * feedForwardLength + 2);
    return {
      parameterCount: layerCount * layerLength + embeddingLength * (vocabularySize * (isTied ? 1 : 2) + 1),
      settings: new Map<string, number | string>([
        ['general.architecture', 'llama'],
        ['llama.block_count', layerCount],
        ['llama.embedding_length', embeddingLength],
        ['llama.vocab_size', vocabularySize],
        ['llama.context_length', config.integer('max_position_embeddings')],
        ['llama.attention.head_count', heads],
        ['llama.attention.head_count_kv', kvHeads],
        ['llama.attention.key_length', headLength],
        ['llama.rope.dimension_count', rotaryLength],
        ['llama.feed_forward_length', feedForwardLength],
        ['llama.attention.layer_norm_rms_epsilon', config.number('rms_norm_eps')],
        ['llama.rope.freq_base', base],
      ]),
      computed: new Map(divisors === undefined ? [] : [['rope_freqs.weight', divisors]]),
      tensorName(name) {
        if (name === 'rope_freqs.weight') return divisors && name;
        if (name === 'output.weight' && isTied) return undefined;
        const found = prefixes.find(([ours]) => ours.test(name));
        return found && name.replace(...found);
      },
      headsOf: (name) => (/\.attn_[qk]\./.test(name) ? { headLength, rotaryLength } : undefined),
    } satisfies FolderModel;
  },
};

/** Base of the frequencies, and what they are divided by: from rope_parameters, or rope_theta and rope_scaling of older files. */
function readRope(config: ConfigReader, rotaryLength: number): { base: number; divisors?: Float32Array<ArrayBuffer> } {
  const parameters = config.object('rope_parameters');
  const scaling = parameters ?? config.object('rope_scaling');
  const base = parameters?.number('rope_theta', config.number('rope_theta', 10_000)) ?? config.number('rope_theta', 10_000);
  if (scaling === undefined) return { base };
  const type = scaling.string('rope_type', scaling.string('type', 'default'));
  scaling.demand(type === 'default' || type === 'llama3', 'rope_type', 'default, llama3', type);
  return type === 'default' ? { base } : { base, divisors: llama3Divisors(scaling, base, rotaryLength) };
}

/** Short wavelengths stay, long ones are stretched by `factor`, those between in part. */
function llama3Divisors(scaling: ConfigReader, base: number, rotaryLength: number): Float32Array<ArrayBuffer> {
  const factor = scaling.number('factor');
  const low = scaling.number('low_freq_factor');
  const high = scaling.number('high_freq_factor');
  const originalLength = scaling.integer('original_max_position_embeddings');
  scaling.demand(factor >= 1, 'factor', 'at least 1', factor);
  scaling.demand(low > 0 && high > low, 'high_freq_factor', `above low_freq_factor, ${low}`, high);
  return Float32Array.from({ length: rotaryLength / 2 }, (_, pair) => {
    const share = llama3Share(2 * Math.PI * base ** ((2 * pair) / rotaryLength), { low, high, originalLength });
    return 1 / ((1 - share) / factor + share);
  });
}
