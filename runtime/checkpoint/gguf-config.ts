/**
 * Owns what GGUF files call the things that families name as folders do: keys of config.json, names of tensors. What one family alone has
 * stands in its file (models/). Source: gguf-py, constants.py and tensor_mapping.py. Refuses values of another type, as metadata.ts does.
 */
import type { ConfigValue, Family, GgufFacts, ModelConfig, TensorRule } from '../../models/family.ts';
import { plainName, unsupported } from './json.ts';
import { optionalBoolean, optionalInteger, optionalIntegers, optionalNumber, optionalNumbers, optionalString, optionalStrings } from './metadata.ts';
import type { Checkpoint } from './types.ts';
import { invalid } from './window.ts';

type GgufFile = Pick<Checkpoint, 'metadata' | 'tensors'>;
type Keys = NonNullable<NonNullable<Family['gguf']>['keys']>;

const integerLimit = 2 ** 24;

const keys: Keys = {
  num_hidden_layers: 'block_count',
  hidden_size: 'embedding_length',
  intermediate_size: 'feed_forward_length',
  max_position_embeddings: 'context_length',
  num_attention_heads: 'attention.head_count',
  num_key_value_heads: 'attention.head_count_kv',
  head_dim: 'attention.key_length',
  rms_norm_eps: 'attention.layer_norm_rms_epsilon',
  rope_theta: 'rope.freq_base',
  attn_logit_softcapping: 'attn_logit_softcapping',
  final_logit_softcapping: 'final_logit_softcapping',
  num_experts_per_tok: 'expert_used_count',
  moe_intermediate_size: 'expert_feed_forward_length',
  n_shared_experts: 'expert_shared_count',
  n_group: 'expert_group_count',
  topk_group: 'expert_group_used_count',
  norm_topk_prob: 'expert_weights_norm',
  routed_scaling_factor: 'expert_weights_scale',
  first_k_dense_replace: 'leading_dense_block_count',
  num_experts: 'expert_count',
  n_routed_experts: 'expert_count',
  // A count of zero says that there are none.
  num_local_experts: (file) => file.number('expert_count') || undefined,
  // Phi-4 has zero where the first Phi-3 has a window.
  sliding_window: (file) => file.number('attention.sliding_window') || undefined,
  vocab_size: (file) => file.number('vocab_size'),
  tie_word_embeddings: (file) => !file.hasTensor('output.weight'),
  partial_rotary_factor(file) {
    const heads = file.number('attention.head_count') ?? 1;
    const rotary = file.number('rope.dimension_count');
    return rotary && rotary / (file.number('attention.key_length') ?? (file.number('embedding_length') ?? 0) / heads);
  },
};

const ropeKeys: Keys = {
  rope_type: 'rope.scaling.type',
  factor: 'rope.scaling.factor',
  original_max_position_embeddings: 'rope.scaling.original_context_length',
  attention_factor: 'rope.scaling.attn_factor',
  beta_fast: 'rope.scaling.yarn_beta_fast',
  beta_slow: 'rope.scaling.yarn_beta_slow',
};

const rules: readonly TensorRule[] = [
  [/^model\.embed_tokens\./, 'token_embd.'],
  [/^model\.norm\./, 'output_norm.'],
  [/^lm_head\./, 'output.'],
  [/^model\.layers\.(\d+)\.input_layernorm\./, 'blk.$1.attn_norm.'],
  [/^model\.layers\.(\d+)\.post_attention_layernorm\./, 'blk.$1.ffn_norm.'],
  [/^model\.layers\.(\d+)\.self_attn\.([qkv])_proj\./, 'blk.$1.attn_$2.'],
  [/^model\.layers\.(\d+)\.self_attn\.([qk])_norm\./, 'blk.$1.attn_$2_norm.'],
  [/^model\.layers\.(\d+)\.self_attn\.o_proj\./, 'blk.$1.attn_output.'],
  [/^model\.layers\.(\d+)\.mlp\.(gate|up|down)_proj\./, 'blk.$1.ffn_$2.'],
  [/^model\.layers\.(\d+)\.mlp\.gate\.e_score_correction_bias$/, 'blk.$1.exp_probs_b.bias'],
  [/^model\.layers\.(\d+)\.mlp\.(?:gate|router)\./, 'blk.$1.ffn_gate_inp.'],
  [/^model\.layers\.(\d+)\.mlp\.experts\.(gate|up|down|gate_up)_proj\./, 'blk.$1.ffn_$2_exps.'],
  [/^model\.layers\.(\d+)\.mlp\.experts\.(gate|up|down|gate_up)_proj_bias$/, 'blk.$1.ffn_$2_exps.bias'],
  [/^model\.layers\.(\d+)\.mlp\.shared_experts\.(gate|up|down)_proj\./, 'blk.$1.ffn_$2_shexp.'],
];

/** The name in a GGUF file of a family's tensor; the family's own rules come first, and a name without a rule stays. */
export function createGgufNames({ gguf }: Family): (name: string) => string {
  const all = [...(gguf?.tensors ?? []), ...rules];
  return (name) => {
    const found = all.find(([pattern]) => pattern.test(name));
    return found === undefined ? name : name.replace(...found);
  };
}

/** The metadata of a GGUF file under the keys of config.json. Throws gguf_invalid. */
export function createGgufConfig(checkpoint: GgufFile, { gguf }: Family): ModelConfig {
  const architecture = gguf?.architecture ?? '';
  const facts: GgufFacts = {
    hasTensor: (name) => checkpoint.tensors.has(name),
    number: (key) => rowCount(checkpoint, key) ?? optionalNumber(checkpoint, `${architecture}.${key}`),
    numbers: (key) => optionalNumbers(checkpoint, `${architecture}.${key}`),
    string: (key) => optionalString(checkpoint, `${architecture}.${key}`),
  };
  const own = gguf?.keys ?? {};
  return createConfig(checkpoint, architecture, { ...keys, ...own }, facts, own);
}

/** Counts that files need not say, because they are the rows of a table. */
const tables: Readonly<Record<string, string>> = { vocab_size: 'token_embd.weight', type_vocab_size: 'token_types.weight' };

function rowCount({ tensors }: GgufFile, key: string): number | undefined {
  return Object.hasOwn(tables, key) ? tensors.get(tables[key] ?? '')?.shape[0] : undefined;
}

/** `own`: keys that the family has for itself, also for the scaling of positions. */
function createConfig(checkpoint: GgufFile, architecture: string, table: Keys, facts: GgufFacts, own: Keys): ModelConfig {
  const ruleOf = (key: string): Keys[string] | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);
  const nameOf = (key: string): string => {
    const rule = ruleOf(key);
    return typeof rule === 'string' ? `${architecture}.${rule}` : key;
  };
  /** From the file, or as it follows from others; undefined: neither. */
  function find<T extends ConfigValue>(key: string, read: (file: GgufFile, name: string) => T | undefined): T | undefined {
    const rule = ruleOf(key);
    // A rule gives the type that its key is asked for.
    return typeof rule === 'string' ? read(checkpoint, nameOf(key)) : (rule?.(facts) as T | undefined);
  }
  function need<T>(key: string, value: T | undefined, expected: string): T {
    if (value === undefined) throw invalid(`metadata ${nameOf(key)}`, expected, 'nothing');
    return value;
  }
  return {
    has(key) {
      const rule = ruleOf(key);
      return typeof rule === 'string' ? checkpoint.metadata.has(nameOf(key)) : rule?.(facts) !== undefined;
    },
    integer(key, fallback) {
      const expected = `a whole number from 1 to ${integerLimit}`;
      const value = need(key, find(key, (from, name) => optionalInteger(from, name, 1, integerLimit)) ?? fallback, expected);
      // What follows from other keys has been checked by nobody.
      if (!Number.isInteger(value) || value < 1 || value > integerLimit) throw invalid(`metadata ${nameOf(key)}`, expected, value);
      return value;
    },
    number: (key, fallback) => need(key, find(key, optionalNumber) ?? fallback, 'a finite number'),
    string: (key, fallback) => need(key, find(key, optionalString) ?? fallback, 'a string'),
    boolean: (key, fallback) => need(key, find(key, optionalBoolean) ?? fallback, 'a boolean'),
    object(key) {
      if (key !== 'rope_scaling') return undefined;
      const scaling = createConfig(checkpoint, architecture, { ...ropeKeys, ...own }, facts, own);
      return scaling.string('rope_type', 'none') === 'none' ? undefined : scaling;
    },
    numbers: (key) =>
      find(key, (from, name) => {
        const found = optionalIntegers(from, name);
        return found && Array.from(found);
      }),
    strings: (key) => find(key, optionalStrings),
    demand(isMet, key, expected, found) {
      if (!isMet) throw unsupported(nameOf(key), expected, typeof found === 'string' ? plainName(found, 'something else') : found);
    },
  };
}
