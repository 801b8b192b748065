/**
 * GLM-4.5, 4.6 and 4.7 (Zeng et al. 2025): heads that turn in part, biases of queries, keys and values, in the larger ones norms of query
 * and key heads, and experts chosen by sigmoids with one that every token has.
 * Source: Glm4MoeForCausalLM of Hugging Face transformers; GGUF architecture `glm4moe`. The layers behind the last, for multi-token prediction, are left out.
 */
import {
  addAttention,
  addFeedForward,
  attentionSpecs,
  type DecoderConfig,
  demandActivation,
  feedForwardSpecs,
  outerSpecs,
  outputMatrix,
  type RopeConfig,
  readDecoder,
  readRope,
  readRotaryLength,
  readWidth,
  vector,
} from './blocks.ts';
import { addMixture, type MixtureConfig, mixtureSpecs, readExpertLayers, readSigmoidRouter } from './experts.ts';
import type { Family, WeightSpec, Weights } from './family.ts';
import type { AttentionHeads } from './graph.ts';
import { ropeFrequencies } from './rope.ts';

interface Glm4MoeConfig extends DecoderConfig {
  readonly rotaryLength: number;
  /** Of layers without experts. */
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  readonly hasBias: boolean;
  /** Of query and key heads, before they turn. */
  readonly hasHeadNorms: boolean;
  readonly mixture: MixtureConfig;
}

export const glm4Moe: Family<Glm4MoeConfig> = {
  name: 'glm4_moe',
  modelTypes: ['glm4_moe'],
  gguf: {
    architecture: 'glm4moe',
    keys: {
      num_hidden_layers: (file) => (file.number('block_count') ?? 0) - (file.number('nextn_predict_layers') ?? 0) || undefined,
      attention_bias: (file) => file.hasTensor('blk.0.attn_q.bias'),
      use_qk_norm: (file) => file.hasTensor('blk.0.attn_q_norm.weight'),
    },
    tensors: [[/^model\.layers\.(\d+)\.post_attention_layernorm\./, 'blk.$1.post_attention_norm.']],
  },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    const width = readWidth(config, 'moe_intermediate_size');
    const hasExperts = readExpertLayers(config, decoder.layerCount);
    const shared = config.number('n_shared_experts', 0);
    config.demand(Number.isInteger(shared) && shared >= 0 && shared <= 64, 'n_shared_experts', '0 to 64', shared);
    return {
      ...decoder,
      rotaryLength: readRotaryLength(config, decoder.headLength, 0.5),
      feedForwardLength: hasExperts.every(Boolean) ? 0 : readWidth(config),
      rope: readRope(config),
      hasBias: config.boolean('attention_bias', false),
      hasHeadNorms: config.boolean('use_qk_norm', false),
      mixture: { router: readSigmoidRouter(config), width, sharedWidth: shared * width, hasExperts },
    };
  },

  weights(c) {
    const layers = c.caches.flatMap((_, layer): [string, WeightSpec][] => [
      ...attentionSpecs(c, layer, { hasBias: c.hasBias, heads: c.hasHeadNorms ? undefined : c }),
      ...(c.hasHeadNorms ? headNormSpecs(c, layer) : []),
      ...(c.mixture.hasExperts[layer] ? mixtureSpecs(c, layer, c.mixture) : feedForwardSpecs(c, layer, c.feedForwardLength)),
    ]);
    return new Map<string, WeightSpec>([...outerSpecs(c), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addAttention(c, w, g, layer, x, headsOf(c, w, layer), rotation);
      x = c.mixture.hasExperts[layer] ? addMixture(c, w, g, layer, x, c.mixture) : addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};

function headNormSpecs(c: Glm4MoeConfig, layer: number): [string, WeightSpec][] {
  return (['query', 'key'] as const).map((part) => [`${layer} ${part} norm`, vector(`model.layers.${layer}.self_attn.${part[0]}_norm`, c.headLength)]);
}

function headsOf(c: Glm4MoeConfig, w: Weights, layer: number): AttentionHeads {
  const heads = { ...c, bias: c.hasBias ? w.vector(`${layer} bias`) : undefined };
  if (!c.hasHeadNorms) return heads;
  return {
    ...heads,
    options: { pairs: 'halfSplit', norm: { query: w.vector(`${layer} query norm`), key: w.vector(`${layer} key norm`), epsilon: c.epsilon } },
  };
}
