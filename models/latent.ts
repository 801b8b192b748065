/**
 * Owns decoders with multi-head latent attention as DeepSeek-V3 made them and others have them too: what the configuration says, lists of tensors, and the step of
 * the forward pass. A token is kept as one latent row for all heads; the weights that make keys and values of it are multiplied with queries, and
 * with what attention gives, instead. Refuses what only one family has.
 */
import type { Slice, Vectors } from '../kernels/kernel.ts';
import type { Norm } from '../kernels/matmul.ts';
import {
  addFeedForward,
  demandActivation,
  feedForwardSpecs,
  matrix,
  outerSpecs,
  outputMatrix,
  type RopeConfig,
  readRope,
  readStack,
  readWidth,
  type StackConfig,
  vector,
} from './blocks.ts';
import { addMixture, type MixtureConfig, mixtureSpecs, readExpertLayers, readSigmoidRouter } from './experts.ts';
import type { GgufFacts, GgufForm, ModelConfig, WeightSpec, Weights } from './family.ts';
import type { ChosenKeys, Graph, LatentHeads } from './graph.ts';
import { ropeFrequencies, yarnGrowth } from './rope.ts';

export interface LatentConfig extends StackConfig {
  readonly latent: LatentHeads;
  /** Numbers between the two matrices that make queries; undefined: there is one matrix. */
  readonly queryRank: number | undefined;
  /** Of layers without experts. */
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  readonly mixture: MixtureConfig;
  /** Keys and values of heads are tensors of their own, keys as they are multiplied with queries. */
  readonly areKeysApart: boolean;
}

/** Of the norms of queries and latents, whatever `rms_norm_eps` says. */
const rankEpsilon = 1e-6;

export function readLength(config: ModelConfig, key: string, step: number, most: number): number {
  const length = config.integer(key);
  config.demand(length % step === 0 && length <= most, key, `a multiple of ${step}, at most ${most}`, length);
  return length;
}

/** YaRN also scales the scores, by the square of what it would scale both sides by. */
function scoreScale(headLength: number, { scaling }: RopeConfig): number {
  const grown = scaling.kind === 'yarn' && scaling.mscaleAllDim ? yarnGrowth(scaling.factor, scaling.mscaleAllDim) : 1;
  return headLength ** -0.5 * grown ** 2;
}

function readLatentHeads(config: ModelConfig, rope: RopeConfig): LatentHeads {
  const heads = config.integer('num_attention_heads');
  const plainLength = readLength(config, 'qk_nope_head_dim', 4, 512);
  const ropeLength = readLength(config, 'qk_rope_head_dim', 8, 64);
  const latentLength = readLength(config, 'kv_lora_rank', 32, 512);
  const valueLength = readLength(config, 'v_head_dim', 4, 512);
  config.demand((heads * valueLength) % 32 === 0, 'v_head_dim', 'heads of a multiple of 32 numbers in all', heads * valueLength);
  return { heads, plainLength, ropeLength, latentLength, valueLength, scale: scoreScale(plainLength + ropeLength, rope) };
}

/** All but what an indexer adds. Throws model_unsupported. */
export function readLatentConfig(config: ModelConfig): LatentConfig {
  const stack = readStack(config);
  demandActivation(config, 'silu');
  config.demand(!config.boolean('attention_bias', false), 'attention_bias', 'false', 'true');
  config.demand(config.boolean('rope_interleave', true), 'rope_interleave', 'true', 'false');
  for (const [key, expected] of [
    ['scoring_func', 'sigmoid'],
    ['topk_method', 'noaux_tc'],
  ] as const) {
    const found = config.string(key, expected);
    config.demand(found === expected, key, expected, found);
  }
  config.demand(config.integer('moe_layer_freq', 1) === 1, 'moe_layer_freq', 1, config.integer('moe_layer_freq', 1));
  const rope = readRope(config);
  const latent = readLatentHeads(config, rope);
  const { latentLength, ropeLength } = latent;
  const width = readWidth(config, 'moe_intermediate_size');
  const hasExperts = readExpertLayers(config, stack.layerCount);
  const shared = config.integer('n_shared_experts');
  config.demand(shared <= 64, 'n_shared_experts', 'at most 64', shared);
  return {
    ...stack,
    caches: Array.from({ length: stack.layerCount }, () => ({ kind: 'latent' as const, latentLength, ropeLength })),
    latent,
    queryRank: config.has('q_lora_rank') ? readLength(config, 'q_lora_rank', 32, 16_384) : undefined,
    feedForwardLength: hasExperts.every(Boolean) ? 0 : readWidth(config),
    rope,
    areKeysApart: config.boolean('kv_b_proj_split', false),
    mixture: { router: readSigmoidRouter(config), width, sharedWidth: shared * width, hasExperts },
  };
}

function growthOf(file: GgufFacts): number | undefined {
  const multiplier = file.number('rope.scaling.yarn_log_multiplier');
  return multiplier === undefined ? undefined : multiplier * 10;
}

/** What GGUF calls their keys and tensors. */
export const latentGguf: Required<Pick<GgufForm, 'keys' | 'tensors'>> = {
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
};

/** Of a layer: `attention norm`, `queries` (behind `query rank` and its norm, where there are two matrices), `latent` and its norm, `keys and values` or `keys` and `values`, `attention output`. */
function latentSpecs({ embeddingLength, queryRank, latent, areKeysApart }: LatentConfig, layer: number): [string, WeightSpec][] {
  const name = `model.layers.${layer}.self_attn`;
  const { heads, plainLength, ropeLength, latentLength, valueLength } = latent;
  const queryRows = heads * (plainLength + ropeLength);
  const headRows = plainLength + valueLength;
  const apart = (part: string, rows: number, columns: number): WeightSpec => ({ kind: 'experts', experts: heads, rows, columns, parts: [`${name}.*.${part}`] });
  const keysAndValues: [string, WeightSpec][] = areKeysApart
    ? [
        [`${layer} keys`, apart('k_b_proj', latentLength, plainLength)],
        [`${layer} values`, apart('v_b_proj', valueLength, latentLength)],
      ]
    : [[`${layer} keys and values`, { ...matrix(latentLength, [`${name}.kv_b_proj`, heads * headRows]), headRows }]];
  const queries: [string, WeightSpec][] =
    queryRank === undefined
      ? [[`${layer} queries`, matrix(embeddingLength, [`${name}.q_proj`, queryRows])]]
      : [
          [`${layer} query rank`, matrix(embeddingLength, [`${name}.q_a_proj`, queryRank])],
          [`${layer} query rank norm`, vector(`${name}.q_a_layernorm`, queryRank)],
          [`${layer} queries`, matrix(queryRank, [`${name}.q_b_proj`, queryRows])],
        ];
  return [
    [`${layer} attention norm`, vector(`model.layers.${layer}.input_layernorm`, embeddingLength)],
    ...queries,
    [`${layer} latent`, matrix(embeddingLength, [`${name}.kv_a_proj_with_mqa`, latentLength + ropeLength])],
    [`${layer} latent norm`, vector(`${name}.kv_a_layernorm`, latentLength)],
    ...keysAndValues,
    [`${layer} attention output`, matrix(heads * valueLength, [`${name}.o_proj`, embeddingLength])],
  ];
}

/** What a layer's attention begins with, for indexers to go on from. */
export interface LatentStep {
  readonly x: Vectors;
  readonly norm: Norm;
  /** Between the two matrices that make queries, to be normed before the second. */
  readonly rank: Vectors;
  readonly rankNorm: Norm;
  readonly rotation: Slice;
}

/** What the tokens of a layer attend to; undefined: to all that they see. */
export type ChooseKeys = (layer: number, step: LatentStep) => ChosenKeys | undefined;

/** What attention of a layer keeps and computes. */
export function latentAt({ latent, caches }: LatentConfig, layer: number): LatentHeads {
  const cache = caches[layer];
  return { ...latent, indexLength: cache?.kind === 'latent' ? cache.indexLength : undefined };
}

/** x + output(attention) of the normed x. */
function addLatentAttention(c: LatentConfig, w: Weights, g: Graph, layer: number, x: Vectors, rotation: Slice, chooseKeys?: ChooseKeys): Vectors {
  const norm = { weight: w.vector(`${layer} attention norm`), epsilon: c.epsilon };
  const rank = c.queryRank === undefined ? x : g.linear('query rank', w.matrix(`${layer} query rank`), x, { norm });
  const rankNorm = c.queryRank === undefined ? norm : { weight: w.vector(`${layer} query rank norm`), epsilon: rankEpsilon };
  const inputs = {
    queries: g.linear('latent queries', w.matrix(`${layer} queries`), rank, { norm: rankNorm }),
    rows: g.linear('latent', w.matrix(`${layer} latent`), x, { norm }),
    norm: { weight: w.vector(`${layer} latent norm`), epsilon: rankEpsilon },
    keysAndValues: c.areKeysApart ? { keys: w.experts(`${layer} keys`), values: w.experts(`${layer} values`) } : w.matrix(`${layer} keys and values`),
    rotation,
    chosen: chooseKeys?.(layer, { x, norm, rank, rankNorm, rotation }),
  };
  return g.addLinear(x, w.matrix(`${layer} attention output`), g.latentAttention(layer, inputs, latentAt(c, layer)));
}

/** All tensors. `more`: what a layer has besides. */
export function latentWeights(c: LatentConfig, more: (layer: number) => [string, WeightSpec][] = () => []): ReadonlyMap<string, WeightSpec> {
  const layers = c.caches.flatMap((_, layer): [string, WeightSpec][] => [
    ...latentSpecs(c, layer),
    ...more(layer),
    ...(c.mixture.hasExperts[layer] ? mixtureSpecs(c, layer, c.mixture) : feedForwardSpecs(c, layer, c.feedForwardLength)),
  ]);
  return new Map<string, WeightSpec>([...outerSpecs(c), ...layers]);
}

/** The whole forward pass, with what `latentWeights` lists. */
export function forwardLatent(c: LatentConfig, w: Weights, g: Graph, chooseKeys?: ChooseKeys): void {
  const rotation = g.rotation(ropeFrequencies(c.latent.ropeLength, c.rope.base, c.rope.scaling));
  let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
  for (const layer of g.layers(c.layerCount)) {
    x = addLatentAttention(c, w, g, layer, x, rotation, chooseKeys);
    x = c.mixture.hasExperts[layer] ? addMixture(c, w, g, layer, x, c.mixture) : addFeedForward(c, w, g, layer, x);
  }
  g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
}
