/**
 * Qwen3.5, dense: three layers of gated DeltaNet, then one of gated attention. The text part of its files; a vision part and layers that
 * guess further tokens are left aside. Source: Qwen3_5ForCausalLM of Hugging Face transformers; GGUF architecture `qwen35`.
 */
import { addFeedForward, feedForwardSpecs, outerSpecs, outputMatrix, readWidth } from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { addMixer, type GatedDeltaConfig, gatedDeltaGguf, mixerSpecs, offset, readGatedDelta } from './gated_delta.ts';
import { ropeFrequencies } from './rope.ts';

interface Qwen35Config extends GatedDeltaConfig {
  readonly feedForwardLength: number;
}

export const qwen3_5: Family<Qwen35Config> = {
  name: 'qwen3_5',
  modelTypes: ['qwen3_5_text', 'qwen3_5'],
  gguf: { ...gatedDeltaGguf, architecture: 'qwen35', keys: { ...gatedDeltaGguf.keys, linear_tiled_heads: () => true } },

  readConfig: (config) => ({ ...readGatedDelta(config, 'no'), feedForwardLength: readWidth(config) }),

  weights(c) {
    const layers = c.caches.flatMap((_, layer) => [...mixerSpecs(c, layer), ...feedForwardSpecs(c, layer, c.feedForwardLength, { norm: offset })]);
    return new Map<string, WeightSpec>([...outerSpecs(c, offset), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addMixer(c, w, g, layer, x, rotation);
      x = addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};
