/**
 * GLM-5, 5.1 and 5.2 (GLM team 2026), and DeepSeek-V3.2 (DeepSeek-AI 2025): the decoder of DeepSeek-V3 (latent.ts), each token of which attends to the
 * `index_topk` tokens that a lightning indexer chooses; in GLM-5.2 layers without an indexer take what the last one before them chose.
 * Source: GlmMoeDsaForCausalLM and DeepseekV32ForCausalLM of Hugging Face transformers. The layers behind the last, for multi-token prediction, are left out.
 */
import { matrix, vector } from './blocks.ts';
import type { Family, GgufFacts, LayerCache, ModelConfig, WeightSpec, Weights } from './family.ts';
import type { ChosenKeys, Graph, IndexHeads } from './graph.ts';
import { forwardLatent, type LatentConfig, type LatentStep, latentAt, latentGguf, latentWeights, readLatentConfig, readLength } from './latent.ts';

interface IndexedConfig extends LatentConfig {
  readonly queryRank: number;
  readonly index: IndexHeads;
  /** Whether a layer has an indexer of its own. */
  readonly hasIndexer: readonly boolean[];
}

/** Of the norm of index keys, whatever `rms_norm_eps` says. */
const indexEpsilon = 1e-6;

/** `indexer_types`; or F and S for each layer; or one in so many layers, and all of the first. */
function readIndexers(config: ModelConfig, layerCount: number): boolean[] {
  const types = config.strings('indexer_types') ?? readPattern(config, layerCount);
  config.demand(types.length === layerCount, 'indexer_types', `${layerCount} of them`, types.length);
  for (const type of types) config.demand(type === 'full' || type === 'shared', 'indexer_types', 'full, shared', type);
  config.demand(types[0] === 'full', 'indexer_types', 'full first', 'shared first');
  return types.map((type) => type === 'full');
}

function readPattern(config: ModelConfig, layerCount: number): string[] {
  if (config.has('index_topk_pattern')) {
    const names: Readonly<Record<string, string>> = { F: 'full', S: 'shared' };
    return Array.from(config.string('index_topk_pattern'), (letter) => names[letter] ?? letter);
  }
  const period = config.integer('index_topk_freq', 1);
  const first = config.number('index_skip_topk_offset', 2);
  return Array.from({ length: layerCount }, (_, layer) => (Math.max(layer - first + 1, 0) % period === 0 ? 'full' : 'shared'));
}

/** Without those for multi-token prediction. */
function layersOf(file: GgufFacts): number | undefined {
  return (file.number('block_count') ?? 0) - (file.number('nextn_predict_layers') ?? 0) || undefined;
}

function readIndex(config: ModelConfig, rotaryLength: number): IndexHeads {
  const heads = readLength(config, 'index_n_heads', 4, 256);
  const length = readLength(config, 'index_head_dim', 8, 512);
  config.demand(length >= rotaryLength, 'index_head_dim', `at least ${rotaryLength}, of which qk_rope_head_dim turn`, length);
  config.demand((heads * length) % 32 === 0, 'index_n_heads', 'heads of a multiple of 32 numbers in all', heads * length);
  const isInterleaved = config.boolean('indexer_rope_interleave', config.string('model_type', 'glm_moe_dsa') !== 'deepseek_v32');
  return { heads, length, rotaryLength, rotaryStart: 0, topK: config.integer('index_topk'), pairs: isInterleaved ? 'interleaved' : 'halfSplit' };
}

export const glmMoeDsa: Family<IndexedConfig> = {
  name: 'glm_moe_dsa',
  modelTypes: ['glm_moe_dsa', 'deepseek_v32'],
  gguf: {
    architecture: 'glm-dsa',
    keys: {
      ...latentGguf.keys,
      num_hidden_layers: layersOf,
      index_n_heads: 'attention.indexer.head_count',
      index_head_dim: 'attention.indexer.key_length',
      index_topk: 'attention.indexer.top_k',
      // Files made before GLM-5.2 do not say it.
      indexer_types: (file) =>
        Array.from({ length: layersOf(file) ?? 0 }, (_, layer) => (file.hasTensor(`blk.${layer}.indexer.attn_k.weight`) ? 'full' : 'shared')),
    },
    tensors: [
      ...latentGguf.tensors,
      [/^model\.layers\.(\d+)\.self_attn\.indexer\.wq_b\./, 'blk.$1.indexer.attn_q_b.'],
      [/^model\.layers\.(\d+)\.self_attn\.indexer\.wk\./, 'blk.$1.indexer.attn_k.'],
      [/^model\.layers\.(\d+)\.self_attn\.indexer\.weights_proj\./, 'blk.$1.indexer.proj.'],
      [/^model\.layers\.(\d+)\.self_attn\.indexer\.k_norm\./, 'blk.$1.indexer.k_norm.'],
    ],
  },

  readConfig(config) {
    const decoder = readLatentConfig(config);
    const index = readIndex(config, decoder.latent.ropeLength);
    const hasIndexer = readIndexers(config, decoder.layerCount);
    const { latentLength, ropeLength } = decoder.latent;
    const row = { kind: 'latent', latentLength, ropeLength, topK: index.topK } as const;
    const caches = hasIndexer.map((has): LayerCache => ({ ...row, indexLength: has ? index.length : undefined }));
    return { ...decoder, queryRank: readLength(config, 'q_lora_rank', 32, 16_384), index, hasIndexer, caches };
  },

  weights: (c) => latentWeights(c, (layer) => (c.hasIndexer[layer] ? indexSpecs(c, layer) : [])),

  // Others take what an earlier one has chosen.
  canCut: (c, layer) => c.hasIndexer[layer] === true,

  forward(c, w, g) {
    let chosen: ChosenKeys | undefined;
    forwardLatent(c, w, g, (layer, step) => {
      if (c.hasIndexer[layer]) chosen = chooseKeys(c, w, g, layer, step);
      return chosen;
    });
  },
};

/** Of a layer: `index queries`, `index rows` (a key and a weight for each head), `index norm` and `index norm bias` of the key. */
function indexSpecs({ embeddingLength, queryRank, index: { heads, length } }: IndexedConfig, layer: number): [string, WeightSpec][] {
  const name = `model.layers.${layer}.self_attn.indexer`;
  return [
    [`${layer} index queries`, matrix(queryRank, [`${name}.wq_b`, heads * length])],
    [`${layer} index rows`, matrix(embeddingLength, [`${name}.wk`, length], [`${name}.weights_proj`, heads])],
    [`${layer} index norm`, vector(`${name}.k_norm`, length)],
    [`${layer} index norm bias`, { kind: 'vector', parts: [{ tensor: `${name}.k_norm.bias`, rows: length }] }],
  ];
}

function chooseKeys(c: IndexedConfig, w: Weights, g: Graph, layer: number, { x, norm, rank, rankNorm, rotation }: LatentStep): ChosenKeys {
  const inputs = {
    queries: g.linear('index heads', w.matrix(`${layer} index queries`), rank, { norm: rankNorm }),
    rows: g.linear('index rows', w.matrix(`${layer} index rows`), x, { norm }),
    norm: { weight: w.vector(`${layer} index norm`), bias: w.vector(`${layer} index norm bias`), epsilon: indexEpsilon },
    rotation,
  };
  return g.chooseKeys(layer, inputs, latentAt(c, layer), c.index);
}
