/**
 * BERT (Devlin et al. 2019) as an encoder of texts (Reimers and Gurevych 2019): every token sees all of them, positions and kinds of text
 * are learned rows, norms have a mean and follow the sums. All texts are of the first kind; classifiers of pairs are refused.
 * Source: BertModel of Hugging Face transformers, pooling of sentence-transformers; GGUF architecture `bert`.
 */
import type { ActivationFunction } from '../kernels/gated.ts';
import type { Vectors } from '../kernels/kernel.ts';
import type { Pooling } from '../kernels/pool.ts';
import { type DecoderConfig, matrix, readDecoder, readWidth, vector } from './blocks.ts';
import type { Encoder, Family, ModelConfig, WeightSpec } from './family.ts';

interface BertConfig extends Omit<DecoderConfig, 'isTied'> {
  readonly encoder: Encoder;
  /** Rows of the tables of positions and of kinds of text. */
  readonly positionCount: number;
  readonly typeCount: number;
  readonly feedForwardLength: number;
  readonly activation: ActivationFunction;
}

/** By `hidden_act`. */
const activations: Readonly<Record<string, ActivationFunction>> = { gelu: 'gelu', gelu_new: 'gelu_tanh', gelu_pytorch_tanh: 'gelu_tanh', relu: 'relu' };
const poolings: readonly Pooling[] = ['mean', 'cls', 'max'];
/** `pooling_type` of GGUF, in llama.cpp's order. */
const ggufPoolings = ['none', 'mean', 'cls', 'last', 'rank'];

export const bert: Family<BertConfig> = {
  name: 'bert',
  modelTypes: ['bert'],
  isEncoder: true,
  gguf: {
    architecture: 'bert',
    keys: {
      layer_norm_eps: 'attention.layer_norm_epsilon',
      type_vocab_size: (file) => file.number('type_vocab_size'),
      pooling_mode: (file) => ggufPoolings[file.number('pooling_type') ?? 1] ?? 'another',
      // No key says it; llama.cpp does it.
      is_normalized: () => true,
      is_decoder: (file) => file.numbers('attention.causal')?.[0] === 1,
    },
    tensors: [
      [/^embeddings\.word_embeddings\./, 'token_embd.'],
      [/^embeddings\.position_embeddings\./, 'position_embd.'],
      [/^embeddings\.token_type_embeddings\./, 'token_types.'],
      [/^embeddings\.LayerNorm\./, 'token_embd_norm.'],
      [/^encoder\.layer\.(\d+)\.attention\.self\.([qkv])\w+\./, 'blk.$1.attn_$2.'],
      [/^encoder\.layer\.(\d+)\.attention\.output\.dense\./, 'blk.$1.attn_output.'],
      [/^encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\./, 'blk.$1.attn_output_norm.'],
      [/^encoder\.layer\.(\d+)\.intermediate\.dense\./, 'blk.$1.ffn_up.'],
      [/^encoder\.layer\.(\d+)\.output\.dense\./, 'blk.$1.ffn_down.'],
      [/^encoder\.layer\.(\d+)\.output\.LayerNorm\./, 'blk.$1.layer_output_norm.'],
    ],
  },

  readConfig(config) {
    const { isTied: _, ...stack } = readDecoder(config, { epsilonKey: 'layer_norm_eps' });
    for (const key of ['is_decoder', 'add_cross_attention']) config.demand(!config.boolean(key, false), key, 'false', 'true');
    const classifier = config.strings('architectures')?.find((name) => name.endsWith('Classification'));
    config.demand(classifier === undefined, 'architectures', 'a model without a classifier', classifier ?? '');
    const positions = config.string('position_embedding_type', 'absolute');
    config.demand(positions === 'absolute', 'position_embedding_type', 'absolute', positions);
    const activation = config.string('hidden_act', 'gelu');
    config.demand(Object.hasOwn(activations, activation), 'hidden_act', Object.keys(activations).join(', '), activation);
    const feedForwardLength = readWidth(config);
    config.demand(feedForwardLength % 32 === 0, 'intermediate_size', 'a multiple of 32', feedForwardLength);
    return {
      ...stack,
      contextLength: Math.min(stack.contextLength, config.integer('max_seq_length', stack.contextLength)),
      positionCount: stack.contextLength,
      typeCount: config.integer('type_vocab_size', 2),
      feedForwardLength,
      activation: activations[activation] ?? 'gelu',
      encoder: readEncoder(config),
    };
  },

  weights(c) {
    const width = c.embeddingLength;
    const table = (tensor: string, rows: number): WeightSpec => ({ ...matrix(width, [`embeddings.${tensor}`, rows]), isTable: true });
    return new Map<string, WeightSpec>([
      ['embedding', table('word_embeddings', c.vocabularySize)],
      ['positions', table('position_embeddings', c.positionCount)],
      ['types', table('token_type_embeddings', c.typeCount)],
      ...normSpecs('embedding norm', 'embeddings.LayerNorm', width),
      ...c.caches.flatMap((_, layer) => layerSpecs(c, layer)),
    ]);
  },

  forward(c, w, g) {
    // No head turns: positions are in the embedding.
    const rotation = g.rotation({ frequencies: new Float64Array(c.headLength / 2), factor: 1 });
    const normed = (x: Vectors, name: string): Vectors => {
      const norm = { kind: 'layer', weight: w.vector(name), bias: w.vector(`${name} bias`), epsilon: c.epsilon } as const;
      return g.norm('normed', x, norm, c.embeddingLength);
    };
    const named = g.embed(w.matrix('embedding'));
    const placed = g.embed(w.matrix('positions'), { lookup: 'position', to: named });
    let x = normed(g.embed(w.matrix('types'), { lookup: 'first', to: placed }), 'embedding norm');
    for (let layer = 0; layer < c.layerCount; layer++) {
      const biasOf = (name: string) => ({ bias: w.vector(`${layer} ${name} bias`) });
      const heads = { ...c, rotaryLength: c.headLength, ...biasOf('projections') };
      const attended = g.attention(layer, x, undefined, w.matrix(`${layer} projections`), heads, rotation);
      x = normed(g.addLinear(x, w.matrix(`${layer} attention output`), attended, biasOf('attention output')), `${layer} attention norm`);
      const hidden = g.linear('hidden', w.matrix(`${layer} up`), x, { activation: c.activation, ...biasOf('up') });
      x = normed(g.addLinear(x, w.matrix(`${layer} down`), hidden, biasOf('down')), `${layer} output norm`);
    }
    g.pool(x, c.embeddingLength, c.encoder.pooling);
  },
};

/** What sentence-transformers says beside config.json (runtime/checkpoint/sentence.ts); where nobody says it, it is a mean as it comes. */
function readEncoder(config: ModelConfig): Encoder {
  const found = config.string('pooling_mode', 'mean');
  const pooling = poolings.find((known) => known === found);
  config.demand(pooling !== undefined, 'pooling_mode', poolings.join(', '), found);
  return { pooling: pooling ?? 'mean', isNormalized: config.boolean('is_normalized', false) };
}

function layerSpecs(c: BertConfig, layer: number): [string, WeightSpec][] {
  const name = `encoder.layer.${layer}`;
  const { embeddingLength: width, feedForwardLength } = c;
  const projections = ['query', 'key', 'value'].map((part) => [`${name}.attention.self.${part}`, width] as const);
  return [
    ...biasedSpecs(`${layer} projections`, width, projections),
    ...biasedSpecs(`${layer} attention output`, width, [[`${name}.attention.output.dense`, width]]),
    ...normSpecs(`${layer} attention norm`, `${name}.attention.output.LayerNorm`, width),
    ...biasedSpecs(`${layer} up`, width, [[`${name}.intermediate.dense`, feedForwardLength]]),
    ...biasedSpecs(`${layer} down`, feedForwardLength, [[`${name}.output.dense`, width]]),
    ...normSpecs(`${layer} output norm`, `${name}.output.LayerNorm`, width),
  ];
}

function biasedSpecs(label: string, columns: number, parts: readonly (readonly [tensor: string, rows: number])[]): [string, WeightSpec][] {
  const bias: WeightSpec = { kind: 'vector', parts: parts.map(([tensor, rows]) => ({ tensor: `${tensor}.bias`, rows })) };
  return [
    [label, matrix(columns, ...parts)],
    [`${label} bias`, bias],
  ];
}

function normSpecs(label: string, tensor: string, width: number): [string, WeightSpec][] {
  return [
    [label, vector(tensor, width)],
    [`${label} bias`, { kind: 'vector', parts: [{ tensor: `${tensor}.bias`, rows: width }] }],
  ];
}
