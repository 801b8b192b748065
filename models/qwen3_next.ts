/**
 * Qwen3-Next: three layers of gated DeltaNet, then one of gated attention, each with a few of many experts and one that every token has. Rows
 * of a DeltaNet's projections stand by key head. Source: Qwen3NextForCausalLM of Hugging Face transformers; GGUF architecture `qwen3next`.
 */
import type { DeltaShape } from '../kernels/delta.ts';
import { outerSpecs, outputMatrix, readWidth } from './blocks.ts';
import { addMixture, type MixtureConfig, mixtureSpecs, readExpertCounts } from './experts.ts';
import type { Family, ModelConfig, WeightSpec } from './family.ts';
import { addMixer, type GatedDeltaConfig, gatedDeltaGguf, mixerSpecs, offset, readGatedDelta } from './gated_delta.ts';
import { ropeFrequencies } from './rope.ts';

export interface Qwen3NextConfig extends GatedDeltaConfig {
  readonly mixture: MixtureConfig;
}

export const qwen3Next: Family<Qwen3NextConfig> = {
  name: 'qwen3_next',
  modelTypes: ['qwen3_next'],
  gguf: {
    ...gatedDeltaGguf,
    architecture: 'qwen3next',
    // Older files have the rows as folders have them, in a tensor of its own name.
    keys: { ...gatedDeltaGguf.keys, linear_split_rows: (file) => !file.hasTensor('blk.0.ssm_in.weight') },
  },

  readConfig: (config) => readMixed(config, config.boolean('linear_split_rows', false) ? 'rates' : 'all'),

  weights(c) {
    const layers = c.caches.flatMap((_, layer) => [...mixerSpecs(c, layer), ...mixtureSpecs(c, layer, c.mixture, offset)]);
    return new Map<string, WeightSpec>([...outerSpecs(c, offset), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addMixer(c, w, g, layer, x, rotation);
      x = addMixture(c, w, g, layer, x, c.mixture);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};

/** With experts in every layer. `grouped`: see DeltaShape. */
export function readMixed(config: ModelConfig, grouped: DeltaShape['grouped']): Qwen3NextConfig {
  const decoder = readGatedDelta(config, grouped);
  const step = config.integer('decoder_sparse_step', 1);
  config.demand(step === 1, 'decoder_sparse_step', 1, step);
  const dense = config.numbers('mlp_only_layers')?.length ?? 0;
  config.demand(dense === 0, 'mlp_only_layers', 'none', dense);
  return {
    ...decoder,
    mixture: {
      router: {
        ...readExpertCounts(config, 'num_experts'),
        ...{ score: 'softmax', isBiased: false, renormalizes: config.boolean('norm_topk_prob', true), scale: 1 },
      },
      width: readWidth(config, 'moe_intermediate_size'),
      sharedWidth: readWidth(config, 'shared_expert_intermediate_size'),
      isSharedGated: true,
      hasExperts: decoder.caches.map(() => true),
    },
  };
}
