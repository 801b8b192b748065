/**
 * Ministral 3 (Mistral AI 2025): the Llama decoder with YaRN, whose queries grow with the logarithm of their position.
 * Source: Ministral3ForCausalLM of Hugging Face transformers; GGUF architecture `mistral3`.
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
} from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface Ministral3Config extends DecoderConfig {
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  readonly growth: { readonly by: number; readonly originalLength: number };
}

export const ministral3: Family<Ministral3Config> = {
  name: 'ministral3',
  modelTypes: ['ministral3'],
  gguf: {
    architecture: 'mistral3',
    hasPairs: true,
    keys: {
      llama_4_scaling_beta: 'attention.temperature_scale',
      mscale_all_dim: 'rope.scaling.yarn_log_multiplier',
      // Releases have the same number twice, so that it cancels; files keep one.
      mscale: 'rope.scaling.yarn_log_multiplier',
    },
  },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    config.demand(!config.has('sliding_window'), 'sliding_window', 'none', 'one');
    const scaling = config.object('rope_parameters') ?? config.object('rope_scaling');
    const originalLength = scaling?.integer('original_max_position_embeddings') ?? decoder.contextLength;
    const growth = { by: scaling?.number('llama_4_scaling_beta', 0) ?? 0, originalLength };
    return { ...decoder, rotaryLength: decoder.headLength, feedForwardLength: readWidth(config), rope: readRope(config), growth };
  },

  weights(c) {
    const layers = c.caches.flatMap((_, layer) => [...attentionSpecs(c, layer, { heads: c }), ...feedForwardSpecs(c, layer, c.feedForwardLength)]);
    return new Map<string, WeightSpec>([...outerSpecs(c), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addAttention(c, w, g, layer, x, { ...c, options: { growth: c.growth } }, rotation);
      x = addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};
