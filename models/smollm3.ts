/**
 * SmolLM3 (Bakouch et al. 2025): the Llama decoder in which some layers do not rotate heads at all (every fourth, where the file does not list them).
 * Source: SmolLM3ForCausalLM of Hugging Face transformers; GGUF architecture `smollm3`, whose heads are pairs as those of `llama`.
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

interface SmolLm3Config extends DecoderConfig {
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  /** By layer: whether its heads are rotated. */
  readonly isRotated: readonly boolean[];
}

export const smollm3: Family<SmolLm3Config> = {
  name: 'smollm3',
  modelTypes: ['smollm3'],
  gguf: { architecture: 'smollm3', hasPairs: true },

  readConfig(config) {
    const decoder = readDecoder(config, { isTied: true });
    demandActivation(config, 'silu');
    for (const key of ['attention_bias', 'mlp_bias', 'use_sliding_window']) config.demand(!config.boolean(key, false), key, 'false', 'true');
    const interval = config.integer('no_rope_layer_interval', 4);
    const listed = config.numbers('no_rope_layers');
    config.demand(listed === undefined || listed.length === decoder.layerCount, 'no_rope_layers', `${decoder.layerCount} numbers`, listed?.length ?? 0);
    const isRotated = decoder.caches.map((_, layer) => (listed === undefined ? (layer + 1) % interval !== 0 : listed[layer] !== 0));
    return { ...decoder, rotaryLength: decoder.headLength, feedForwardLength: readWidth(config), rope: readRope(config, { base: 2_000_000 }), isRotated };
  },

  weights(c) {
    const layers = c.caches.flatMap((_, layer) => [...attentionSpecs(c, layer, { heads: c }), ...feedForwardSpecs(c, layer, c.feedForwardLength)]);
    return new Map<string, WeightSpec>([...outerSpecs(c), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const turning = ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling);
    const rotation = g.rotation(turning);
    const still = g.rotation({ frequencies: new Float64Array(turning.frequencies.length), factor: 1 });
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addAttention(c, w, g, layer, x, c, c.isRotated[layer] ? rotation : still);
      x = addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};
