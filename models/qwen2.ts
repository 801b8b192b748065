/**
 * Qwen2 and Qwen2.5 (Yang et al. 2024): the Llama decoder with biases of queries, keys and values. Released files name a window that
 * is off; where it is on, layers from `max_window_layers` look back over it.
 * Source: Qwen2ForCausalLM of Hugging Face transformers; GGUF architecture `qwen2`.
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
  windowAt,
  withWindow,
} from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface Qwen2Config extends DecoderConfig {
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
}

export const qwen2: Family<Qwen2Config> = {
  name: 'qwen2',
  modelTypes: ['qwen2'],
  gguf: { architecture: 'qwen2' },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    const window = config.boolean('use_sliding_window', false) ? config.integer('sliding_window') : undefined;
    const firstWindow = window === undefined ? decoder.layerCount : config.number('max_window_layers');
    return {
      ...withWindow(decoder, (layer) => (layer >= firstWindow ? window : undefined)),
      rotaryLength: decoder.headLength,
      feedForwardLength: readWidth(config),
      rope: readRope(config),
    };
  },

  weights(c) {
    const layers = c.caches.flatMap((_, layer) => [
      ...attentionSpecs(c, layer, { heads: c, hasBias: true }),
      ...feedForwardSpecs(c, layer, c.feedForwardLength),
    ]);
    return new Map<string, WeightSpec>([...outerSpecs(c), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addAttention(c, w, g, layer, x, { ...c, bias: w.vector(`${layer} bias`), window: windowAt(c, layer) }, rotation);
      x = addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};
