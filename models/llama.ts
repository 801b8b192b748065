/**
 * The Llama family (Touvron et al. 2023; Grattafiori et al. 2024): pre-norm decoder with RMSNorm, rotary positions, grouped-query
 * attention and SwiGLU. Also SmolLM2. Heads are rotated as pairs side by side, as GGUF has them; folders have halves.
 * Source: LlamaForCausalLM of Hugging Face transformers; GGUF specification, architecture `llama`.
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
  readRotaryLength,
  readWidth,
  vector,
} from './blocks.ts';
import type { Family, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface LlamaConfig extends DecoderConfig {
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
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
    return { ...decoder, rotaryLength: readRotaryLength(config, decoder.headLength), feedForwardLength: readWidth(config), rope: readRope(config) };
  },

  weights(c) {
    // GGUF files have the frequencies of Llama 3 as a tensor of divisors.
    const divisors: WeightSpec = { kind: 'host', tensor: 'rope_freqs.weight', length: c.rotaryLength / 2, optional: true };
    const specs = new Map<string, WeightSpec>([...outerSpecs(c), ['rope divisors', divisors]]);
    const [queryRows, kvRows] = [c.heads * c.headLength, c.kvHeads * c.headLength];
    for (let layer = 0; layer < c.layerCount; layer++) {
      const name = `model.layers.${layer}`;
      const attention = `${name}.self_attn`;
      specs.set(`${layer} attention norm`, vector(`${name}.input_layernorm`, c.embeddingLength));
      specs.set(
        `${layer} projections`,
        matrix(c.embeddingLength, [`${attention}.q_proj`, queryRows, c], [`${attention}.k_proj`, kvRows, c], [`${attention}.v_proj`, kvRows]),
      );
      specs.set(`${layer} attention output`, matrix(queryRows, [`${attention}.o_proj`, c.embeddingLength]));
      specs.set(`${layer} feed-forward norm`, vector(`${name}.post_attention_layernorm`, c.embeddingLength));
      specs.set(`${layer} gate and up`, gateAndUp(c.embeddingLength, c.feedForwardLength, [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`]));
      specs.set(`${layer} down`, matrix(c.feedForwardLength, [`${name}.mlp.down_proj`, c.embeddingLength]));
    }
    return specs;
  },

  forward(c, w, g) {
    const divisors = w.host('rope divisors');
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, divisors ? { kind: 'divisors', divisors } : c.rope.scaling));
    const norm = (name: string): Norm => ({ weight: w.vector(name), epsilon: c.epsilon });
    let x = g.embed(w.matrix('embedding'));
    for (let layer = 0; layer < c.layerCount; layer++) {
      const attended = g.attention(layer, x, norm(`${layer} attention norm`), w.matrix(`${layer} projections`), c, rotation);
      x = g.addLinear(x, w.matrix(`${layer} attention output`), attended);
      const hidden = g.gated(x, norm(`${layer} feed-forward norm`), w.matrix(`${layer} gate and up`), gates.swiglu);
      x = g.addLinear(x, w.matrix(`${layer} down`), hidden);
    }
    g.choose(x, norm('output norm'), outputMatrix(c, w));
  },
};
