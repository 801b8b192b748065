/**
 * Gemma 2 (Gemma Team 2024): norms before and after each block, every second layer over a window, soft caps on scores and logits.
 * Source: Gemma2ForCausalLM of Hugging Face transformers; GGUF architecture `gemma2`.
 */
import { demandActivation, matrix, outerSpecs, outputMatrix, type RopeConfig, readDecoder, readRope, readWidth, readWindows } from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { GemmaBlocks, type GemmaConfig, gemmaTensors, layerSpecs, readQueryScale, withDefaults } from './gemma.ts';
import { ropeFrequencies } from './rope.ts';

interface Gemma2Config extends GemmaConfig {
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
  readonly scale: number;
  readonly scoreCap: number;
  readonly logitCap: number;
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
    all.demand(!all.boolean('attention_bias', false), 'attention_bias', 'false', 'true');
    const windows = readWindows(all, decoder.layerCount, 2, 4096);
    const [scoreCap, logitCap] = [all.number('attn_logit_softcapping', 50), all.number('final_logit_softcapping', 30)];
    all.demand(scoreCap > 0, 'attn_logit_softcapping', 'above 0', scoreCap);
    all.demand(logitCap > 0, 'final_logit_softcapping', 'above 0', logitCap);
    return {
      ...decoder,
      ...{ windows, scoreCap, logitCap },
      caches: decoder.caches.map((cache, layer) => ({ ...cache, window: windows[layer] })),
      feedForwardLength: readWidth(all),
      rope: readRope(all),
      scale: readQueryScale(all, 256),
    };
  },

  weights(c) {
    const specs = new Map<string, WeightSpec>(outerSpecs(c, norm));
    const [queryRows, kvRows] = [c.heads * c.headLength, c.kvHeads * c.headLength];
    const turned = { headLength: c.headLength, rotaryLength: c.headLength };
    for (let layer = 0; layer < c.layerCount; layer++) {
      const attention = `model.layers.${layer}.self_attn`;
      specs.set(
        `${layer} projections`,
        matrix(c.embeddingLength, [`${attention}.q_proj`, queryRows, turned], [`${attention}.k_proj`, kvRows, turned], [`${attention}.v_proj`, kvRows]),
      );
      for (const [name, spec] of layerSpecs(c, layer, { queryRows, width: c.feedForwardLength, norm })) specs.set(name, spec);
    }
    return specs;
  },

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.headLength, c.rope.base, c.rope.scaling));
    const blocks = new GemmaBlocks(c, w, g);
    const heads = { heads: c.heads, kvHeads: c.kvHeads, headLength: c.headLength, rotaryLength: c.headLength, scale: c.scale, softcap: c.scoreCap };
    let x = blocks.embed();
    for (let layer = 0; layer < c.layerCount; layer++) {
      const shape = { ...heads, window: c.windows[layer] };
      const attended = g.attention(layer, x, blocks.norm(`${layer} attention norm`), w.matrix(`${layer} projections`), shape, rotation);
      x = blocks.add(x, `${layer} attention output`, attended);
      x = blocks.feedForward(x, layer);
    }
    g.choose(x, blocks.norm('output norm'), outputMatrix(c, w), { softCap: c.logitCap });
  },
};
