/**
 * Gemma 2 (Gemma Team 2024): norms before and after each block, every second layer over a window, soft caps on scores and logits.
 * Source: Gemma2ForCausalLM of Hugging Face transformers; GGUF architecture `gemma2`.
 */
import {
  attentionSpecs,
  type DecoderConfig,
  demandActivation,
  outerSpecs,
  outputMatrix,
  type RopeConfig,
  readDecoder,
  readRope,
  readWidth,
  readWindows,
  windowAt,
  withWindow,
} from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { blockSpecs, GemmaBlocks, gemmaTensors, readQueryScale, readSoftCap, withDefaults } from './gemma.ts';
import { ropeFrequencies } from './rope.ts';

interface Gemma2Config extends DecoderConfig {
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  readonly scale: number;
  readonly scoreCap: number | undefined;
  readonly logitCap: number | undefined;
}

const norm = { isOffset: true };

export const gemma2: Family<Gemma2Config> = {
  name: 'gemma2',
  modelTypes: ['gemma2'],
  gguf: {
    architecture: 'gemma2',
    keys: {
      // The file does not say it. Of the releases the one of 46 layers divides by the root of what 32 heads would share.
      query_pre_attn_scalar: (file) => (file.number('block_count') === 46 ? 144 : file.number('attention.key_length')),
    },
    tensors: gemmaTensors,
  },

  readConfig(config) {
    const all = withDefaults(config, { head_dim: 256, rms_norm_eps: 1e-6, max_position_embeddings: 8192 });
    const decoder = readDecoder(all, { isTied: true });
    demandActivation(all, 'gelu_pytorch_tanh', 'hidden_activation');
    for (const key of ['attention_bias', 'use_bidirectional_attention']) all.demand(!all.boolean(key, false), key, 'false', 'true');
    const windows = readWindows(all, decoder.layerCount, 2, 4096);
    return {
      ...withWindow(decoder, (layer) => windows[layer]),
      feedForwardLength: readWidth(all),
      rope: readRope(all),
      scale: readQueryScale(all, 256),
      scoreCap: readSoftCap(all, 'attn_logit_softcapping', 50),
      logitCap: readSoftCap(all, 'final_logit_softcapping', 30),
    };
  },

  weights(c) {
    const heads = { headLength: c.headLength, rotaryLength: c.headLength };
    const layers = c.caches.flatMap((_, layer) => [...attentionSpecs(c, layer, { heads, norm }), ...blockSpecs(c, layer, c.feedForwardLength, norm)]);
    return new Map<string, WeightSpec>([...outerSpecs(c, norm), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.headLength, c.rope.base, c.rope.scaling));
    const blocks = new GemmaBlocks(c, w, g);
    let x = g.enter(c.embeddingLength, () => blocks.embed());
    for (const layer of g.layers(c.layerCount)) {
      const heads = { ...c, rotaryLength: c.headLength, window: windowAt(c, layer), softcap: c.scoreCap };
      const attended = g.attention(layer, x, blocks.norm(`${layer} attention norm`), w.matrix(`${layer} projections`), heads, rotation);
      x = blocks.add(x, `${layer} attention output`, attended);
      x = blocks.add(x, `${layer} down`, blocks.hidden(x, layer));
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, blocks.norm('output norm'), outputMatrix(c, w), { softCap: c.logitCap }));
  },
};
