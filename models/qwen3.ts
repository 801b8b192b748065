/**
 * Qwen3, dense (Yang et al. 2025): the Llama decoder with an RMSNorm over each query and key head before the rotation.
 * Source: Qwen3ForCausalLM of Hugging Face transformers; GGUF architecture `qwen3`.
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
import type { Family, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface Qwen3Config extends DecoderConfig {
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
}

export const qwen3: Family<Qwen3Config> = {
  name: 'qwen3',
  modelTypes: ['qwen3'],
  gguf: { architecture: 'qwen3' },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    config.demand(!config.boolean('attention_bias', false), 'attention_bias', 'false', 'true');
    config.demand(!config.boolean('use_sliding_window', false), 'use_sliding_window', 'false', 'true');
    return { ...decoder, rotaryLength: decoder.headLength, feedForwardLength: readWidth(config), rope: readRope(config) };
  },

  weights(c) {
    const layers = c.caches.flatMap((_, layer): [string, WeightSpec][] => [
      ...attentionSpecs(c, layer),
      [`${layer} query norm`, vector(`model.layers.${layer}.self_attn.q_norm`, c.headLength)],
      [`${layer} key norm`, vector(`model.layers.${layer}.self_attn.k_norm`, c.headLength)],
      ...feedForwardSpecs(c, layer, c.feedForwardLength),
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
      x = addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};
