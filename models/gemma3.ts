/**
 * Gemma 3 (Gemma Team 2025) and the text part of MedGemma: as Gemma 2, with norms of query and key heads in place of the soft cap of scores,
 * five layers over a window to one that sees everything, and frequencies of their own for each of the two.
 * Source: Gemma3ForCausalLM of Hugging Face transformers; GGUF architecture `gemma3`.
 */
import {
  attentionSpecs,
  type DecoderConfig,
  demandActivation,
  outerSpecs,
  outputMatrix,
  type RopeConfig,
  readDecoder,
  readWidth,
  readWindows,
  vector,
  windowAt,
  withWindow,
} from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { blockSpecs, GemmaBlocks, type GemmaRopes, gemmaTensors, readQueryScale, readRopes, readSoftCap, withDefaults } from './gemma.ts';
import { ropeFrequencies } from './rope.ts';

interface Gemma3Config extends DecoderConfig {
  readonly feedForwardLength: number;
  readonly ropes: GemmaRopes;
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

export const gemma3: Family<Gemma3Config> = {
  name: 'gemma3',
  modelTypes: ['gemma3_text', 'gemma3'],
  gguf: {
    architecture: 'gemma3',
    keys: {
      // The file does not say it. Of the releases the one of 62 layers divides by the root of what 32 heads would share.
      query_pre_attn_scalar: (file) => (file.number('block_count') === 62 ? 168 : file.number('attention.key_length')),
      // The window is written only where layers have one, and the period by few.
      sliding_window_pattern: (file) => (file.number('attention.sliding_window') ? (file.number('attention.sliding_window_pattern') ?? 6) : 1),
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
      ...withWindow(decoder, (layer) => windows[layer]),
      feedForwardLength: readWidth(all),
      ropes: readRopes(all, { base: 1_000_000, scaling: { kind: 'default' } }),
      scale: readQueryScale(all, 256),
      scoreCap: readSoftCap(all, 'attn_logit_softcapping'),
      logitCap: readSoftCap(all, 'final_logit_softcapping'),
    };
  },

  weights(c) {
    const layers = c.caches.flatMap((_, layer): [string, WeightSpec][] => [
      ...attentionSpecs(c, layer, { norm }),
      ...(['query', 'key'] as const).map((part): [string, WeightSpec] => [
        `${layer} ${part} norm`,
        vector(`model.layers.${layer}.self_attn.${part[0]}_norm`, c.headLength, norm),
      ]),
      ...blockSpecs(c, layer, c.feedForwardLength, norm),
    ]);
    return new Map<string, WeightSpec>([...outerSpecs(c, norm), ...layers]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotate = ({ base, scaling }: RopeConfig) => g.rotation(ropeFrequencies(c.headLength, base, scaling));
    const [full, sliding] = [rotate(c.ropes.full), rotate(c.ropes.sliding)];
    const blocks = new GemmaBlocks(c, w, g);
    let x = g.enter(c.embeddingLength, () => blocks.embed());
    for (const layer of g.layers(c.layerCount)) {
      const headNorm = { query: w.vector(`${layer} query norm`), key: w.vector(`${layer} key norm`), epsilon: c.epsilon };
      const window = windowAt(c, layer);
      const heads = { ...c, rotaryLength: c.headLength, window, softcap: c.scoreCap, options: { pairs: 'halfSplit', norm: headNorm } } as const;
      const rotation = window === undefined ? full : sliding;
      const attended = g.attention(layer, x, blocks.norm(`${layer} attention norm`), w.matrix(`${layer} projections`), heads, rotation);
      x = blocks.add(x, `${layer} attention output`, attended);
      x = blocks.add(x, `${layer} down`, blocks.hidden(x, layer));
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, blocks.norm('output norm'), outputMatrix(c, w), { softCap: c.logitCap }));
  },
};
