/**
 * Owns `inward bench model`: writes a GGUF file of random weights in the shape of a known model, to measure that shape on a machine where no
 * such model can be had. Speed depends on shapes and storages, not on values; what it answers means nothing. Refuses to be more than that.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Command, Option } from 'commander';
import { randomFileRows } from '../kernels/random.ref.ts';
import { fileRowSize } from '../kernels/repack.ts';
import type { StorageWithKernels } from '../kernels/weights.ts';
import { findStorage } from '../runtime/checkpoint/storage.ts';
import { ggufBytes, type Pair, type TensorSpec, tokenizerPairs } from '../test/gguf-file.ts';

/** Sizes of a model of the family llama. */
export interface LlamaShape {
  readonly layers: number;
  readonly embedding: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headLength: number;
  readonly vocabulary: number;
  /** The output has a matrix of its own. */
  readonly hasOutput: boolean;
}

export const shapes: Readonly<Record<string, LlamaShape>> = {
  'smollm2-135m': { layers: 30, embedding: 576, feedForward: 1536, heads: 9, kvHeads: 3, headLength: 64, vocabulary: 49_152, hasOutput: false },
  'llama-3.2-1b': { layers: 16, embedding: 2048, feedForward: 8192, heads: 32, kvHeads: 8, headLength: 64, vocabulary: 128_256, hasOutput: false },
  'llama-3.1-8b': { layers: 32, embedding: 4096, feedForward: 14_336, heads: 32, kvHeads: 8, headLength: 128, vocabulary: 128_256, hasOutput: true },
};
const storages = ['Q4_0', 'Q4_1', 'Q8_0', 'Q4_K', 'Q6_K', 'F16'] as const;

interface Matrix {
  readonly name: string;
  readonly storage: StorageWithKernels;
  readonly rows: number;
  readonly columns: number;
}

/** As quantizers write them: norms in F32, and where codes are of 256 columns those of the output in Q6_K. */
export function listTensors(shape: LlamaShape, storage: StorageWithKernels): Matrix[] {
  const { layers, embedding, feedForward, heads, kvHeads, headLength, vocabulary, hasOutput } = shape;
  const vector = (name: string): Matrix => ({ name: `${name}.weight`, storage: 'F32', rows: 1, columns: embedding });
  const matrix = (name: string, rows: number, columns: number): Matrix => ({ name: `${name}.weight`, storage, rows, columns });
  const output: Matrix = { ...matrix('output', vocabulary, embedding), storage: storage === 'Q4_K' ? 'Q6_K' : storage };
  return [
    matrix('token_embd', vocabulary, embedding),
    ...Array.from({ length: layers }, (_, layer) => `blk.${layer}`).flatMap((name) => [
      vector(`${name}.attn_norm`),
      matrix(`${name}.attn_q`, heads * headLength, embedding),
      matrix(`${name}.attn_k`, kvHeads * headLength, embedding),
      matrix(`${name}.attn_v`, kvHeads * headLength, embedding),
      matrix(`${name}.attn_output`, embedding, heads * headLength),
      vector(`${name}.ffn_norm`),
      matrix(`${name}.ffn_gate`, feedForward, embedding),
      matrix(`${name}.ffn_up`, feedForward, embedding),
      matrix(`${name}.ffn_down`, embedding, feedForward),
    ]),
    vector('output_norm'),
    ...(hasOutput ? [output] : []),
  ];
}

/** GGUF's number of a storage. */
function typeIdOf(storage: StorageWithKernels): number {
  for (let id = 0; id < 64; id++) if (findStorage(id)?.name === storage) return id;
  throw new RangeError(`no GGUF file holds ${storage}`);
}

/** Rows that are made of each width and storage; matrices repeat them. A prime, so that rows far apart differ. */
const madeRows = 509;
const alignment = 32;

/** Bytes written. */
export function writeSynthetic(path: string, shape: LlamaShape, storage: StorageWithKernels): number {
  const tensors = listTensors(shape, storage).map((tensor) => ({ ...tensor, size: tensor.rows * fileRowSize(tensor.storage, tensor.columns) }));
  let offset = 0;
  const specs = tensors.map(({ name, rows, columns, storage: own, size }): TensorSpec => {
    const at = offset;
    offset += Math.ceil(size / alignment) * alignment;
    return { name, dimensions: rows === 1 ? [columns] : [columns, rows], typeId: typeIdOf(own), offset: at };
  });
  const file = openSync(path, 'w');
  try {
    const header = ggufBytes(pairsOf(shape), specs);
    const start = Math.ceil(header.length / alignment) * alignment;
    writeSync(file, header, 0, header.length, 0);
    let end = start;
    const made = new Map<string, Uint8Array>();
    tensors.forEach(({ rows, columns, storage: own, size }, i) => {
      const key = `${own} ${columns}`;
      const some = made.get(key) ?? randomFileRows(own, madeRows, columns, columns);
      made.set(key, some);
      const at = start + (specs[i]?.offset ?? 0);
      const whole = rows === 1 ? new Uint8Array(new Float32Array(columns).fill(1).buffer) : some;
      for (let done = 0; done < size; done += whole.length) writeSync(file, whole, 0, Math.min(whole.length, size - done), at + done);
      end = at + size;
    });
    return end;
  } finally {
    closeSync(file);
  }
}

/** The vocabulary is the bytes, and words that mean nothing. */
function pairsOf({ layers, embedding, feedForward, heads, kvHeads, headLength, vocabulary }: LlamaShape): Pair[] {
  const filler = Array.from({ length: vocabulary - 257 }, (_, i) => `<|${i}|>`);
  return [
    ...tokenizerPairs({ control: ['<|end|>'], user: filler, template: '{{ messages[0].content }}' }),
    ['tokenizer.ggml.eos_token_id', 'u32', 256],
    ['general.name', 'string', 'random weights'],
    ['llama.block_count', 'u32', layers],
    ['llama.embedding_length', 'u32', embedding],
    ['llama.feed_forward_length', 'u32', feedForward],
    ['llama.attention.head_count', 'u32', heads],
    ['llama.attention.head_count_kv', 'u32', kvHeads],
    ['llama.rope.dimension_count', 'u32', headLength],
    ['llama.rope.freq_base', 'f32', 500_000],
    ['llama.attention.layer_norm_rms_epsilon', 'f32', 1e-5],
    ['llama.context_length', 'u32', 131_072],
    ['llama.vocab_size', 'u32', vocabulary],
  ];
}

export function main(args: readonly string[]): void {
  const command = new Command('inward bench model')
    .description('Write a GGUF file of random weights in the shape of a known model, for measurements without the model.')
    .argument('<file>', 'what to write')
    .addOption(new Option('--shape <name>', 'of which model').choices(Object.keys(shapes)).default('llama-3.1-8b'))
    .addOption(new Option('--storage <name>', 'of its matrices; with Q4_K the output is Q6_K').choices(storages).default('Q4_K'))
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse(args, { from: 'user' });
  const { shape, storage } = command.opts<{ readonly shape: string; readonly storage: (typeof storages)[number] }>();
  const [file = ''] = command.args;
  const bytes = writeSynthetic(file, shapes[shape] as LlamaShape, storage);
  console.log(`${file}: ${(bytes / 1e9).toFixed(2)} GB of random weights, ${shape} in ${storage}`);
}
