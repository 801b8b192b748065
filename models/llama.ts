/**
 * The Llama family (Touvron et al. 2023; Grattafiori et al. 2024): pre-norm decoder with RMSNorm, rotary positions on
 * interleaved pairs (GGUF permutes q and k rows for that), grouped-query attention and SwiGLU.
 * Also SmolLM2. Source of keys and tensor names: the GGUF specification, architecture `llama`.
 */
import { gates } from '../kernels/gated.ts';
import type { Norm } from '../kernels/matmul.ts';
import type { Family, MatrixSpec, ModelShape, WeightSpec } from './family.ts';
import { ropeFrequencies } from './rope.ts';

interface LlamaConfig extends ModelShape {
  readonly heads: number;
  readonly rotaryLength: number;
  readonly feedForwardLength: number;
  readonly epsilon: number;
  readonly ropeBase: number;
}

export const llama: Family<LlamaConfig> = {
  architecture: 'llama',

  readConfig(settings, tensorShape) {
    const integer = (key: string, fallback?: number): number => settings.integer(`llama.${key}`, fallback);
    const heads = integer('attention.head_count');
    const embeddingLength = integer('embedding_length');
    const headLength = integer('attention.key_length', embeddingLength / heads);
    const config = {
      layerCount: integer('block_count'),
      embeddingLength,
      vocabularySize: tensorShape('token_embd.weight')?.[0] ?? integer('vocab_size'),
      contextLength: integer('context_length'),
      heads,
      kvHeads: integer('attention.head_count_kv', heads),
      headLength,
      rotaryLength: integer('rope.dimension_count', headLength),
      feedForwardLength: integer('feed_forward_length'),
      epsilon: settings.number('llama.attention.layer_norm_rms_epsilon'),
      ropeBase: settings.number('llama.rope.freq_base', 10_000),
    };
    const { kvHeads, rotaryLength, feedForwardLength, epsilon, ropeBase, layerCount } = config;
    // What the kernels rely on; the shapes of all tensors are checked against these numbers at load.
    settings.demand(layerCount <= 1024, 'llama.block_count', 'at most 1024', layerCount);
    // A norm is a uniform buffer, of 64 KiB at most.
    settings.demand(embeddingLength % 32 === 0 && embeddingLength <= 16_384, 'llama.embedding_length', 'a multiple of 32, at most 16384', embeddingLength);
    settings.demand(feedForwardLength % 32 === 0, 'llama.feed_forward_length', 'a multiple of 32', feedForwardLength);
    settings.demand(heads % kvHeads === 0, 'llama.attention.head_count_kv', `a divisor of ${heads}`, kvHeads);
    settings.demand(headLength % 8 === 0 && headLength <= 512, 'length of a head', 'a multiple of 8, at most 512', headLength);
    settings.demand((heads * headLength) % 32 === 0, 'length of all heads', 'a multiple of 32', heads * headLength);
    settings.demand(rotaryLength % 2 === 0 && rotaryLength <= headLength, 'llama.rope.dimension_count', `even, at most ${headLength}`, rotaryLength);
    settings.demand(epsilon > 0 && epsilon < 1, 'llama.attention.layer_norm_rms_epsilon', 'between 0 and 1', epsilon);
    settings.demand(ropeBase > 1, 'llama.rope.freq_base', 'above 1', ropeBase);
    // Llama 3 scales through the tensor rope_freqs; scaling by these keys is another formula.
    settings.demand(
      !settings.has('llama.rope.scaling.type') || settings.number('llama.rope.scaling.factor', 1) === 1,
      'llama.rope.scaling',
      'none',
      'scaled positions',
    );
    settings.demand(!settings.has('llama.expert_count') || settings.number('llama.expert_count', 0) === 0, 'llama.expert_count', 'no experts', 'experts');
    return config;
  },

  weights(c) {
    const matrix = (columns: number, ...parts: [tensor: string, rows: number][]): MatrixSpec => ({
      kind: 'matrix',
      columns,
      parts: parts.map(([tensor, rows]) => ({ tensor: `${tensor}.weight`, rows })),
    });
    const vector = (tensor: string): WeightSpec => ({ kind: 'vector', tensor: `${tensor}.weight`, length: c.embeddingLength });
    const specs = new Map<string, WeightSpec>([
      ['embedding', { ...matrix(c.embeddingLength, ['token_embd', c.vocabularySize]), isTable: true }],
      ['output', { ...matrix(c.embeddingLength, ['output', c.vocabularySize]), optional: true }],
      ['output norm', vector('output_norm')],
      ['rope divisors', { kind: 'host', tensor: 'rope_freqs.weight', length: c.rotaryLength / 2, optional: true }],
    ]);
    const queryRows = c.heads * c.headLength;
    const kvRows = c.kvHeads * c.headLength;
    for (let layer = 0; layer < c.layerCount; layer++) {
      const name = `blk.${layer}`;
      specs.set(`${layer} attention norm`, vector(`${name}.attn_norm`));
      specs.set(`${layer} projections`, matrix(c.embeddingLength, [`${name}.attn_q`, queryRows], [`${name}.attn_k`, kvRows], [`${name}.attn_v`, kvRows]));
      specs.set(`${layer} attention output`, matrix(queryRows, [`${name}.attn_output`, c.embeddingLength]));
      specs.set(`${layer} feed-forward norm`, vector(`${name}.ffn_norm`));
      const gateAndUp = matrix(c.embeddingLength, [`${name}.ffn_gate`, c.feedForwardLength], [`${name}.ffn_up`, c.feedForwardLength]);
      specs.set(`${layer} gate and up`, { ...gateAndUp, interleaved: true });
      specs.set(`${layer} down`, matrix(c.feedForwardLength, [`${name}.ffn_down`, c.embeddingLength]));
    }
    return specs;
  },

  forward(c, w, g) {
    const divisors = w.host('rope divisors');
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.ropeBase, divisors && { kind: 'divisors', divisors }));
    const norm = (name: string): Norm => ({ weight: w.vector(name), epsilon: c.epsilon });
    let x = g.embed(w.matrix('embedding'));
    for (let layer = 0; layer < c.layerCount; layer++) {
      const attended = g.attention(layer, x, norm(`${layer} attention norm`), w.matrix(`${layer} projections`), c, rotation);
      x = g.addLinear(x, w.matrix(`${layer} attention output`), attended);
      const hidden = g.gated(x, norm(`${layer} feed-forward norm`), w.matrix(`${layer} gate and up`), gates.swiglu);
      x = g.addLinear(x, w.matrix(`${layer} down`), hidden);
    }
    g.choose(x, norm('output norm'), w.optionalMatrix('output') ?? w.matrix('embedding'));
  },
};
