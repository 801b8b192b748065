/**
 * Qwen3, dense (Yang et al. 2025): the Llama decoder with an RMSNorm over each query and key head before the rotation.
 * Source: Qwen3ForCausalLM of Hugging Face transformers; GGUF architecture `qwen3`.
 */
import { gates } from '../kernels/gated.ts';
import type { Norm } from '../kernels/matmul.ts';
import {
  type DecoderConfig,
  demandActivation,
  gateAndUp,
  matrix,
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
    return { ...decoder, feedForwardLength: readWidth(config), rope: readRope(config) };
  },

  weights(c) {
    const specs = new Map<string, WeightSpec>(outerSpecs(c));
    const [queryRows, kvRows] = [c.heads * c.headLength, c.kvHeads * c.headLength];
    for (let layer = 0; layer < c.layerCount; layer++) {
      const name = `model.layers.${layer}`;
      const attention = `${name}.self_attn`;
      specs.set(`${layer} attention norm`, vector(`${name}.input_layernorm`, c.embeddingLength));
      specs.set(
        `${layer} projections`,
        matrix(c.embeddingLength, [`${attention}.q_proj`, queryRows], [`${attention}.k_proj`, kvRows], [`${attention}.v_proj`, kvRows]),
      );
      specs.set(`${layer} query norm`, vector(`${attention}.q_norm`, c.headLength));
      specs.set(`${layer} key norm`, vector(`${attention}.k_norm`, c.headLength));
      specs.set(`${layer} attention output`, matrix(queryRows, [`${attention}.o_proj`, c.embeddingLength]));
      specs.set(`${layer} feed-forward norm`, vector(`${name}.post_attention_layernorm`, c.embeddingLength));
      specs.set(`${layer} gate and up`, gateAndUp(c.embeddingLength, c.feedForwardLength, [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`]));
      specs.set(`${layer} down`, matrix(c.feedForwardLength, [`${name}.mlp.down_proj`, c.embeddingLength]));
    }
    return specs;
  },

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.headLength, c.rope.base, c.rope.scaling));
    const norm = (name: string): Norm => ({ weight: w.vector(name), epsilon: c.epsilon });
    let x = g.embed(w.matrix('embedding'));
    for (let layer = 0; layer < c.layerCount; layer++) {
      const headNorm = { query: w.vector(`${layer} query norm`), key: w.vector(`${layer} key norm`), epsilon: c.epsilon };
      const heads = { ...c, rotaryLength: c.headLength, options: { pairs: 'halfSplit', norm: headNorm } } as const;
      const attended = g.attention(layer, x, norm(`${layer} attention norm`), w.matrix(`${layer} projections`), heads, rotation);
      x = g.addLinear(x, w.matrix(`${layer} attention output`), attended);
      const hidden = g.gated(x, norm(`${layer} feed-forward norm`), w.matrix(`${layer} gate and up`), gates.swiglu);
      x = g.addLinear(x, w.matrix(`${layer} down`), hidden);
    }
    g.choose(x, norm('output norm'), outputMatrix(c, w));
  },
};
