/**
 * The Llama family (Touvron et al. 2023; Grattafiori et al. 2024): pre-norm decoder with RMSNorm, rotary positions, grouped-query
 * attention and SwiGLU. Also SmolLM2. Heads are rotated as pairs side by side, as GGUF has them; folders have halves.
 * Source: LlamaForCausalLM of Hugging Face transformers; GGUF specification, architecture `llama`, which is that of Mistral too.
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
  withWindow,
} from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface LlamaConfig extends DecoderConfig {
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  readonly window: number | undefined;
}

export const llama: Family<LlamaConfig> = {
  name: 'llama',
  modelTypes: ['llama'],
  gguf: { architecture: 'llama', hasPairs: true },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    for (const key of ['attention_bias', 'mlp_bias']) config.demand(!config.boolean(key, false), key, 'false', 'true');
    config.demand(!config.has('num_local_experts'), 'num_local_experts', 'no experts', 'experts');
    const window = config.has('sliding_window') ? config.integer('sliding_window') : undefined;
    return {
      ...withWindow(decoder, () => window),
      window,
      rotaryLength: readRotaryLength(config, decoder.headLength),
      feedForwardLength: readWidth(config),
      rope: readRope(config),
    };
  },

  weights(c) {
    // GGUF files have the frequencies of Llama 3 as a tensor of divisors.
    const divisors: WeightSpec = { kind: 'host', tensor: 'rope_freqs.weight', length: c.rotaryLength / 2, optional: true };
    const layers = c.caches.flatMap((_, layer) => [...attentionSpecs(c, layer, { heads: c }), ...feedForwardSpecs(c, layer, c.feedForwardLength)]);
    return new Map<string, WeightSpec>([...outerSpecs(c), ['rope divisors', divisors], ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const divisors = w.host('rope divisors');
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, divisors ? { kind: 'divisors', divisors } : c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addAttention(c, w, g, layer, x, c, rotation);
      x = addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};
