/**
 * Qwen3 with experts (Yang et al. 2025): the attention of Qwen3, and in most layers a few of many experts in place of the feed-forward part.
 * Source: Qwen3MoeForCausalLM of Hugging Face transformers; GGUF architecture `qwen3moe`.
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
  readWidth,
  vector,
} from './blocks.ts';
import { addMixture, type MixtureConfig, mixtureSpecs, readExpertCounts } from './experts.ts';
import type { Family, ModelConfig, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface Qwen3MoeConfig extends DecoderConfig {
  readonly rotaryLength: number;
  /** Of layers without experts. */
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  readonly mixture: MixtureConfig;
}

export const qwen3Moe: Family<Qwen3MoeConfig> = {
  name: 'qwen3_moe',
  modelTypes: ['qwen3_moe'],
  // There every layer has experts, and weights of the chosen ones add up to one.
  gguf: { architecture: 'qwen3moe', keys: { norm_topk_prob: () => true } },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    config.demand(!config.boolean('attention_bias', false), 'attention_bias', 'false', 'true');
    config.demand(!config.boolean('use_sliding_window', false), 'use_sliding_window', 'false', 'true');
    const mixture = readMixture(config, decoder.layerCount);
    const feedForwardLength = mixture.hasExperts.every(Boolean) ? 0 : readWidth(config);
    return { ...decoder, rotaryLength: decoder.headLength, feedForwardLength, rope: readRope(config), mixture };
  },

  weights(c) {
    const layers = c.caches.flatMap((_, layer): [string, WeightSpec][] => [
      ...attentionSpecs(c, layer),
      [`${layer} query norm`, vector(`model.layers.${layer}.self_attn.q_norm`, c.headLength)],
      [`${layer} key norm`, vector(`model.layers.${layer}.self_attn.k_norm`, c.headLength)],
      ...(c.mixture.hasExperts[layer] ? mixtureSpecs(c, layer, c.mixture) : feedForwardSpecs(c, layer, c.feedForwardLength)),
    ]);
    return new Map<string, WeightSpec>([...outerSpecs(c), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      const norm = { query: w.vector(`${layer} query norm`), key: w.vector(`${layer} key norm`), epsilon: c.epsilon };
      x = addAttention(c, w, g, layer, x, { ...c, options: { pairs: 'halfSplit', norm } }, rotation);
      x = c.mixture.hasExperts[layer] ? addMixture(c, w, g, layer, x, c.mixture) : addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};

/** Every `decoder_sparse_step`th layer has experts, but for those of `mlp_only_layers`. */
function readMixture(config: ModelConfig, layerCount: number): MixtureConfig {
  const counts = readExpertCounts(config, config.has('num_experts') ? 'num_experts' : 'num_local_experts');
  const step = config.integer('decoder_sparse_step', 1);
  const dense = new Set(config.numbers('mlp_only_layers'));
  return {
    router: { ...counts, score: 'softmax', isBiased: false, renormalizes: config.boolean('norm_topk_prob', false), scale: 1 },
    width: readWidth(config, 'moe_intermediate_size'),
    sharedWidth: 0,
    hasExperts: Array.from({ length: layerCount }, (_, layer) => (layer + 1) % step === 0 && !dense.has(layer)),
  };
}
