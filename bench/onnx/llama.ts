/**
 * Owns the ONNX graph of a Llama model as onnxruntime's own builder makes it for its CPU provider and WebGPU: 4-bit matrices
 * (MatMulNBits), f32 activations, one matrix for query, key and value, GroupQueryAttention with the rotation inside, the norms joined
 * with the residual sums; but logits of the last position only. Refuses other families, and rotations of parts of a head.
 */
import { type Checkpoint, metadataInteger, optionalInteger, optionalNumber, optionalString } from '../../runtime/checkpoint/index.ts';
import { blockColumns, encodeMatrix, type FourBits, multiply } from './four-bits.ts';
import { type Encoded, encodeGraph, encodeTensor, type Node, type Value } from './proto.ts';
import { findTensor, type Part, readMatrix, readVector } from './weights.ts';

export interface LlamaShape {
  readonly layerCount: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number;
  readonly vocabularySize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headLength: number;
  readonly epsilon: number;
  readonly ropeBase: number;
  /** Positions that the tables of the rotation have. */
  readonly contextLength: number;
}

/** Throws where the file is not of this family, or does what the graph does not. */
export function readShape(checkpoint: Checkpoint): LlamaShape {
  const family = optionalString(checkpoint, 'general.architecture') ?? '';
  if (family !== 'llama') throw new Error(`a graph is written for the family llama only, this file is of ${JSON.stringify(family)}`);
  const integer = (key: string): number => metadataInteger(checkpoint, `llama.${key}`, 1, 2 ** 24);
  const optional = (key: string): number | undefined => optionalInteger(checkpoint, `llama.${key}`, 1, 2 ** 24);
  const embeddingLength = integer('embedding_length');
  const heads = integer('attention.head_count');
  const headLength = optional('attention.key_length') ?? embeddingLength / heads;
  if (checkpoint.metadata.has('llama.rope.scaling.type') || (optional('rope.dimension_count') ?? headLength) !== headLength)
    throw new Error('a graph is written for plain rotations of whole heads only');
  return {
    layerCount: integer('block_count'),
    embeddingLength,
    feedForwardLength: integer('feed_forward_length'),
    vocabularySize: checkpoint.tensors.get('token_embd.weight')?.shape[0] ?? 0,
    heads,
    kvHeads: optional('attention.head_count_kv') ?? heads,
    headLength,
    epsilon: optionalNumber(checkpoint, 'llama.attention.layer_norm_rms_epsilon') ?? 1e-5,
    ropeBase: optionalNumber(checkpoint, 'llama.rope.freq_base') ?? 10_000,
    contextLength: Math.min(integer('context_length'), 4096),
  };
}

/** GGUF has the two numbers of a rotated pair side by side, the operator takes them half a head apart: row of the file for a row of the graph. */
function halfSplit(headLength: number): (row: number) => number {
  return (row) => {
    const i = row % headLength;
    const half = headLength / 2;
    return row - i + (i < half ? 2 * i : 2 * (i - half) + 1);
  };
}

/** Inputs and outputs have the names that transformers.js gives to those of a decoder. */
export function encodeLlama(checkpoint: Checkpoint, shape: LlamaShape): Encoded {
  const { layerCount, embeddingLength, vocabularySize, kvHeads, headLength } = shape;
  const writer = new Writer(checkpoint, shape);
  writer.counts();
  writer.embed();
  for (let layer = 0; layer < layerCount; layer++) writer.layer(layer);
  writer.logits();
  const cache = (name: string, positions: string): Value[] =>
    Array.from({ length: layerCount }, (_, layer) => ['key', 'value'].map((what) => `${name}.${layer}.${what}`))
      .flat()
      .map((key) => ({ name: key, type: 'f32', shape: ['batch_size', kvHeads, positions, headLength] }));
  findTensor(checkpoint, 'token_embd.weight', [vocabularySize, embeddingLength]);
  return encodeGraph({
    name: 'llama',
    nodes: writer.nodes,
    tensors: writer.tensors,
    inputs: [
      { name: 'input_ids', type: 'i64', shape: ['batch_size', 'tokens'] },
      { name: 'attention_mask', type: 'i64', shape: ['batch_size', 'positions'] },
      ...cache('past_key_values', 'past'),
    ],
    outputs: [{ name: 'logits', type: 'f32', shape: ['batch_size', 1, vocabularySize] }, ...cache('present', 'positions')],
  });
}

class Writer {
  readonly nodes: Node[] = [];
  readonly tensors: Encoded[] = [];
  readonly #checkpoint: Checkpoint;
  readonly #shape: LlamaShape;
  /** The last residual sum, and what is still to be added to it. */
  #residual = 'embedded';
  #pending = '';

  constructor(checkpoint: Checkpoint, shape: LlamaShape) {
    this.#checkpoint = checkpoint;
    this.#shape = shape;
  }

  /** Positions before this run, and with it, as GroupQueryAttention wants them; and its tables of the rotation. */
  counts(): void {
    const { headLength, ropeBase, contextLength } = this.#shape;
    this.#integers('one', [1], [1n]);
    this.#integers('second', [], [1n]);
    this.#add('ReduceSum', ['attention_mask', 'one'], 'mask sum', { keepdims: 0 });
    this.#add('Sub', ['mask sum', 'one'], 'last position');
    this.#add('Cast', ['last position'], 'last position i32', { to: 6 });
    this.#add('Shape', ['attention_mask'], 'mask shape');
    this.#add('Gather', ['mask shape', 'second'], 'positions', { axis: 0 });
    this.#add('Cast', ['positions'], 'positions i32', { to: 6 });
    const pairs = headLength / 2;
    const divisors = this.#checkpoint.tensors.has('rope_freqs.weight')
      ? readVector(this.#checkpoint, 'rope_freqs.weight', pairs)
      : new Float32Array(pairs).fill(1);
    const frequencies = Array.from(divisors, (divisor, pair) => ropeBase ** ((-2 * pair) / headLength) / divisor);
    const angles = Float64Array.from({ length: contextLength * pairs }, (_, i) => Math.floor(i / pairs) * (frequencies[i % pairs] ?? 0));
    this.tensors.push(encodeTensor('cosines', 'f32', [contextLength, pairs], Float32Array.from(angles, Math.cos)));
    this.tensors.push(encodeTensor('sines', 'f32', [contextLength, pairs], Float32Array.from(angles, Math.sin)));
  }

  embed(): void {
    const { embeddingLength, vocabularySize } = this.#shape;
    const table = this.#matrix(embeddingLength, 'table', [{ tensor: 'token_embd.weight', rows: vocabularySize }]);
    // The operator takes the same bytes without the dimension of the blocks.
    this.#integers('table shape', [2], [BigInt(vocabularySize), BigInt(embeddingLength / 2)]);
    this.#add('Reshape', ['table codes', 'table shape'], 'table rows');
    const attributes = { bits: 4, block_size: blockColumns, gather_axis: 0, quantize_axis: 1 };
    this.#contribute('GatherBlockQuantized', ['table rows', 'input_ids', 'table scales'], ['embedded'], attributes);
    if (!this.#checkpoint.tensors.has('output.weight')) this.#output = table;
  }

  #output: FourBits | undefined;

  layer(layer: number): void {
    const { embeddingLength, feedForwardLength, heads, kvHeads, headLength } = this.#shape;
    const own = (name: string): string => `${layer} ${name}`;
    const part = (tensor: string, rows: number, order?: Part['order']): Part => ({ tensor: `blk.${layer}.${tensor}.weight`, rows, ...(order && { order }) });
    const order = halfSplit(headLength);
    const [queryRows, kvRows] = [heads * headLength, kvHeads * headLength];
    const normed = this.#norm(`blk.${layer}.attn_norm`);
    const parts = [part('attn_q', queryRows, order), part('attn_k', kvRows, order), part('attn_v', kvRows)];
    this.#multiply(embeddingLength, own('projections'), parts, normed);
    this.#contribute(
      'GroupQueryAttention',
      [
        own('projections'),
        '',
        '',
        ...['key', 'value'].map((what) => `past_key_values.${layer}.${what}`),
        'last position i32',
        'positions i32',
        'cosines',
        'sines',
      ],
      [own('attended'), ...['key', 'value'].map((what) => `present.${layer}.${what}`)],
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 0, scale: { f32: headLength ** -0.5 } },
    );
    this.#pending = this.#multiply(queryRows, own('output'), [part('attn_output', embeddingLength)], own('attended'));
    const hidden = this.#norm(`blk.${layer}.ffn_norm`);
    const gate = this.#multiply(embeddingLength, own('gate'), [part('ffn_gate', feedForwardLength)], hidden);
    const up = this.#multiply(embeddingLength, own('up'), [part('ffn_up', feedForwardLength)], hidden);
    this.#add('Sigmoid', [gate], own('sigmoid'));
    this.#add('Mul', [gate, own('sigmoid')], own('silu'));
    this.#add('Mul', [own('silu'), up], own('product'));
    this.#pending = this.#multiply(feedForwardLength, own('down'), [part('ffn_down', embeddingLength)], own('product'));
  }

  logits(): void {
    const { embeddingLength, vocabularySize } = this.#shape;
    const normed = this.#norm('output_norm');
    this.#integers('last', [1], [-1n]);
    this.#add('Gather', [normed, 'last'], 'last normed', { axis: 1 });
    if (this.#output === undefined) this.#multiply(embeddingLength, 'logits', [{ tensor: 'output.weight', rows: vocabularySize }], 'last normed');
    else this.nodes.push(multiply('table', this.#output, 'last normed', 'logits', 0));
  }

  /** RMSNorm of the residual, to which what is pending is added on the way. */
  #norm(name: string): string {
    const weight = `${name}.weight`;
    this.tensors.push(encodeTensor(weight, 'f32', [this.#shape.embeddingLength], readVector(this.#checkpoint, weight, this.#shape.embeddingLength)));
    const epsilon = { epsilon: { f32: this.#shape.epsilon } };
    if (this.#pending === '') this.#add('SimplifiedLayerNormalization', [this.#residual, weight], name, { axis: -1, stash_type: 1, ...epsilon });
    else {
      this.#contribute('SkipSimplifiedLayerNormalization', [this.#residual, this.#pending, weight], [name, '', '', `${name} sum`], epsilon);
      this.#residual = `${name} sum`;
    }
    return name;
  }

  #matrix(columns: number, name: string, parts: readonly Part[]): FourBits {
    const matrix = readMatrix(this.#checkpoint, columns, parts);
    this.tensors.push(...encodeMatrix(name, matrix));
    return matrix;
  }

  /** f32 activations: faster than int8 behind WebGPU on a CPU device. Gives the name of the product. */
  #multiply(columns: number, name: string, parts: readonly Part[], x: string): string {
    this.nodes.push(multiply(name, this.#matrix(columns, name, parts), x, name, 0));
    return name;
  }

  #integers(name: string, dimensions: readonly number[], values: readonly bigint[]): void {
    this.tensors.push(encodeTensor(name, 'i64', dimensions, BigInt64Array.from(values)));
  }

  #add(operator: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): void {
    this.nodes.push({ name: `${output} by ${operator}`, operator, inputs, outputs: [output], attributes });
  }

  #contribute(operator: string, inputs: readonly string[], outputs: readonly string[], attributes: Node['attributes'] = {}): void {
    this.nodes.push({ name: `${outputs[0]} by ${operator}`, operator, inputs, outputs, attributes, isContributed: true });
  }
}
