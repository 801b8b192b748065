/**
 * Phi-3 and Phi-4 (Abdin et al. 2024): the Llama decoder with queries, keys and values in one tensor, gate and up in another, part of each
 * head rotated, and other frequencies for long sequences (longrope).
 * Source: Phi3ForCausalLM of Hugging Face transformers; GGUF architecture `phi3`.
 */
import {
  addAttention,
  addFeedForward,
  type DecoderConfig,
  demandActivation,
  down,
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
  windowAt,
  withWindow,
} from './blocks.ts';
import type { Family, TensorPart, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface Phi3Config extends DecoderConfig {
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly rope: RopeConfig;
}

/** Parts of one tensor, one below the other. */
function partsOf(tensor: string, parts: readonly Omit<TensorPart, 'tensor' | 'within'>[]): TensorPart[] {
  const all = parts.reduce((sum, { rows }) => sum + rows, 0);
  return parts.map((part, i) => ({ ...part, tensor, within: { firstRow: parts.slice(0, i).reduce((sum, { rows }) => sum + rows, 0), rows: all } }));
}

export const phi3: Family<Phi3Config> = {
  name: 'phi3',
  modelTypes: ['phi3'],
  gguf: {
    architecture: 'phi3',
    keys: {
      original_max_position_embeddings: 'rope.scaling.original_context_length',
      // The converter writes factors, and no type.
      rope_type: (file) => file.string('rope.scaling.type') ?? (file.hasTensor('rope_factors_long.weight') ? 'longrope' : undefined),
    },
    tensors: [
      [/^model\.layers\.(\d+)\.self_attn\.qkv_proj\./, 'blk.$1.attn_qkv.'],
      [/^model\.layers\.(\d+)\.mlp\.gate_up_proj\./, 'blk.$1.ffn_up.'],
    ],
  },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    for (const key of ['attention_bias', 'mlp_bias', 'lm_head_bias']) config.demand(!config.boolean(key, false), key, 'false', 'true');
    const rotaryLength = readRotaryLength(config, decoder.headLength);
    const rope = readRope(config);
    // A window as long as the context is none.
    const window = config.has('sliding_window') ? config.integer('sliding_window') : undefined;
    const isWindowed = window !== undefined && window < decoder.contextLength;
    if (rope.scaling.kind !== 'longrope')
      return { ...withWindow(decoder, () => (isWindowed ? window : undefined)), rotaryLength, feedForwardLength: readWidth(config), rope };
    config.demand(!isWindowed, 'sliding_window', 'none beside longrope', window ?? 0);
    for (const factors of [rope.scaling.shortFactors, rope.scaling.longFactors])
      config.demand(factors.length === 0 || factors.length === rotaryLength / 2, 'rope_scaling', `${rotaryLength / 2} factors`, factors.length);
    return { ...decoder, rotaryLength, feedForwardLength: readWidth(config), rope, longFrom: rope.scaling.originalLength };
  },

  weights(c) {
    const specs = new Map<string, WeightSpec>(outerSpecs(c));
    const [queryRows, kvRows] = [c.heads * c.headLength, c.kvHeads * c.headLength];
    const heads = { headLength: c.headLength, rotaryLength: c.rotaryLength };
    // GGUF files have the factors of longrope as tensors.
    for (const list of ['short', 'long'])
      specs.set(`${list} factors`, { kind: 'host', tensor: `rope_factors_${list}.weight`, length: c.rotaryLength / 2, optional: true });
    for (let layer = 0; layer < c.layerCount; layer++) {
      const name = `model.layers.${layer}`;
      const projections = partsOf(`${name}.self_attn.qkv_proj.weight`, [{ rows: queryRows, heads }, { rows: kvRows, heads }, { rows: kvRows }]);
      const gateUp = partsOf(`${name}.mlp.gate_up_proj.weight`, [{ rows: c.feedForwardLength }, { rows: c.feedForwardLength }]) as [TensorPart, TensorPart];
      specs.set(`${layer} attention norm`, vector(`${name}.input_layernorm`, c.embeddingLength));
      specs.set(`${layer} projections`, { kind: 'matrix', columns: c.embeddingLength, parts: projections });
      specs.set(`${layer} attention output`, matrix(queryRows, [`${name}.self_attn.o_proj`, c.embeddingLength]));
      specs.set(`${layer} feed-forward norm`, vector(`${name}.post_attention_layernorm`, c.embeddingLength));
      specs.set(`${layer} gate and up`, gateAndUp(c.embeddingLength, c.feedForwardLength, gateUp));
      specs.set(`${layer} down`, down(`${name}.mlp.down_proj`, c.feedForwardLength, c.embeddingLength));
    }
    return specs;
  },

  canCut: () => true,

  forward(c, w, g) {
    const [short, long] = [w.host('short factors'), w.host('long factors')];
    const { base } = c.rope;
    const scaling =
      c.rope.scaling.kind !== 'longrope' || short === undefined || long === undefined
        ? c.rope.scaling
        : { ...c.rope.scaling, shortFactors: Array.from(short), longFactors: Array.from(long) };
    const ropeOf = (length: number) => ropeFrequencies(c.rotaryLength, base, scaling, length);
    const rotation = c.longFrom === undefined ? g.rotation(ropeOf(0)) : g.rotation(ropeOf(c.longFrom), ropeOf(c.longFrom + 1));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      x = addAttention(c, w, g, layer, x, { ...c, window: windowAt(c, layer) }, rotation);
      x = addFeedForward(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};
