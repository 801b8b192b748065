/**
 * The Llama family (Touvron et al. 2023; Grattafiori et al. 2024): pre-norm decoder with RMSNorm, rotary positions on
 * interleaved pairs (GGUF permutes q and k rows for that), grouped-query attention and SwiGLU.
 * Also SmolLM2. Source of keys and tensor names: the GGUF specification, architecture `llama`.
 */
import type { Norm } from '../kernels/matmul.ts';
import type { Family, MatrixSpec, ModelShape, WeightSpec } from './family.ts';

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
    return {
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
  },

  weights(c) {
    const matrix = (columns: number, ...parts: [tensor: string, rows: number][]): MatrixSpec => ({
      kind: 'matrix',
      columns,
      parts: parts.map(([tensor, rows]) => ({ tensor: `${tensor}.weight`, rows })),
    });
    const vector = (tensor: string): WeightSpec => ({ kind: 'vector', tensor: `${tensor}.weight`, length: c.embeddingLength });
    const specs = new Map<string, WeightSpec>([
      ['embedding', matrix(c.embeddingLength, ['token_embd', c.vocabularySize])],
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
      specs.set(`${layer} gate and up`, matrix(c.embeddingLength, [`${name}.ffn_gate`, c.feedForwardLength], [`${name}.ffn_up`, c.feedForwardLength]));
      specs.set(`${layer} down`, matrix(c.feedForwardLength, [`${name}.ffn_down`, c.embeddingLength]));
    }
    return specs;
  },

  forward(c, w, g) {
    const rotation = g.rotation(c.rotaryLength, c.ropeBase, w.host('rope divisors'));
    const norm = (name: string): Norm => ({ weight: w.vector(name), epsilon: c.epsilon });
    const x = g.embed(w.matrix('embedding'));
    for (let layer = 0; layer < c.layerCount; layer++) {
      const attended = g.attention(layer, x, norm(`${layer} attention norm`), w.matrix(`${layer} projections`), c, rotation);
      g.addLinear(x, w.matrix(`${layer} attention output`), attended);
      const hidden = g.swiglu(x, norm(`${layer} feed-forward norm`), w.matrix(`${layer} gate and up`));
      g.addLinear(x, w.matrix(`${layer} down`), hidden);
    }
    g.choose(x, norm('output norm'), w.optionalMatrix('output') ?? w.matrix('embedding'));
  },
};
