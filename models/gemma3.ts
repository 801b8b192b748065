/**
 * Gemma 3 (Gemma Team 2025) and the text part of MedGemma: as Gemma 2, with norms of query and key heads in place of the soft cap of scores,
 * five layers over a window to one that sees everything, and frequencies of their own for each of the two.
 * Source: Gemma3ForCausalLM of Hugging Face transformers; GGUF architecture `gemma3`.
 */
import { demandActivation, matrix, outerSpecs, outputMatrix, type RopeConfig, readDecoder, readRope, readWidth, readWindows, vector } from './blocks.ts';
import type { Family, ModelConfig, WeightSpec } from './family.ts';
import { GemmaBlocks, type GemmaConfig, gemmaTensors, layerSpecs, readQueryScale, readSoftCap, withDefaults } from './gemma.ts';
import { ropeFrequencies } from './rope.ts';

interface Gemma3Config extends GemmaConfig {
  readonly feedForwardLength: number;
  /** Of layers that see everything, and of those with a window. */
  readonly fullRope: RopeConfig;
  readonly slidingRope: RopeConfig;
  readonly scale: number;
  readonly scoreCap: number | undefined;
  readonly logitCap: number | undefined;
}

const norm = { isOffset: true };

/** What released files of the larger models leave out. */
const defaults = {
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  rms_norm_eps: 1e-6,
  max_position_embeddings: 131_072,
  vocab_size: 262_208,
};

const fullBase = 1_000_000;
const slidingBase = 10_000;

export const gemma3: Family<Gemma3Config> = {
  name: 'gemma3',
  modelTypes: ['gemma3_text', 'gemma3'],
  gguf: {
    architecture: 'gemma3',
    keys: {
      // The file does not say it. Of the releases the one of 62 layers divides by the root of what 32 heads would share.
      query_pre_attn_scalar: (file) => (file.number('block_count') === 62 ? 168 : file.number('attention.key_length')),
      // Written only where there are layers with a window.
      sliding_window_pattern: (file) => (file.number('attention.sliding_window') ? 6 : 1),
      rope_local_base_freq: 'rope.freq_base_swa',
    },
    tensors: gemmaTensors,
  },

  readConfig(config) {
    const all = withDefaults(config, defaults);
    const decoder = readDecoder(all, { isTied: true });
    demandActivation(all, 'gelu_pytorch_tanh', 'hidden_activation');
    for (const key of ['attention_bias', 'use_bidirectional_attention']) all.demand(!all.boolean(key, false), key, 'false', 'true');
    const windows = readWindows(all, decoder.layerCount, all.integer('sliding_window_pattern', 6), 4096);
    return {
      ...decoder,
      windows,
      caches: decoder.caches.map((cache, layer) => ({ ...cache, window: windows[layer] })),
      feedForwardLength: readWidth(all),
      fullRope: readRope(all, { base: fullBase, parameters: all.object('rope_parameters')?.object('full_attention') }),
      slidingRope: readSlidingRope(all),
      scale: readQueryScale(all, 256),
      scoreCap: readSoftCap(all, 'attn_logit_softcapping'),
      logitCap: readSoftCap(all, 'final_logit_softcapping'),
    };
  },

  weights(c) {
    const specs = new Map<string, WeightSpec>(outerSpecs(c, norm));
    const [queryRows, kvRows] = [c.heads * c.headLength, c.kvHeads * c.headLength];
    for (let layer = 0; layer < c.layerCount; layer++) {
      const attention = `model.layers.${layer}.self_attn`;
      specs.set(
        `${layer} projections`,
        matrix(c.embeddingLength, [`${attention}.q_proj`, queryRows], [`${attention}.k_proj`, kvRows], [`${attention}.v_proj`, kvRows]),
      );
      specs.set(`${layer} query norm`, vector(`${attention}.q_norm`, c.headLength, norm));
      specs.set(`${layer} key norm`, vector(`${attention}.k_norm`, c.headLength, norm));
      for (const [name, spec] of layerSpecs(c, layer, { queryRows, width: c.feedForwardLength, norm })) specs.set(name, spec);
    }
    return specs;
  },

  forward(c, w, g) {
    const rotate = ({ base, scaling }: RopeConfig) => g.rotation(ropeFrequencies(c.headLength, base, scaling));
    const [full, sliding] = [rotate(c.fullRope), rotate(c.slidingRope)];
    const blocks = new GemmaBlocks(c, w, g);
    const heads = { heads: c.heads, kvHeads: c.kvHeads, headLength: c.headLength, rotaryLength: c.headLength, scale: c.scale };
    let x = blocks.embed();
    for (const [layer, window] of c.windows.entries()) {
      const headNorm = { query: w.vector(`${layer} query norm`), key: w.vector(`${layer} key norm`), epsilon: c.epsilon };
      const shape = { ...heads, window, ...(c.scoreCap && { softcap: c.scoreCap }), options: { pairs: 'halfSplit', norm: headNorm } } as const;
      const rotation = window === undefined ? full : sliding;
      const attended = g.attention(layer, x, blocks.norm(`${layer} attention norm`), w.matrix(`${layer} projections`), shape, rotation);
      x = blocks.add(x, `${layer} attention output`, attended);
      x = blocks.feedForward(x, layer);
    }
    g.choose(x, blocks.norm('output norm'), outputMatrix(c, w), { softCap: c.logitCap });
  },
};

/** `rope_scaling` of older files is meant for layers that see everything. */
function readSlidingRope(config: ModelConfig): RopeConfig {
  const parameters = config.object('rope_parameters')?.object('sliding_attention');
  if (parameters !== undefined) return readRope(config, { base: slidingBase, parameters });
  const base = config.number('rope_local_base_freq', slidingBase);
  config.demand(base > 1, 'rope_local_base_freq', 'above 1', base);
  return { base, scaling: { kind: 'default' } };
}
