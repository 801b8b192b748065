/**
 * Owns the writing of whole models as GGUF: metadata and tensors in a storage, as one file or split as llama.cpp's gguf-split does.
 * Refuses nothing.
 */
import { ggufBytes, type Pair, type TensorSpec, type TypeName } from '../gguf-file.ts';
import { bf16Bytes, type SeededTensor } from '../seeded.ts';

/** A value of metadata. */
export type Value = readonly [type: TypeName, value: unknown, elementType?: Exclude<TypeName, 'array'>];

export interface GgufModel {
  readonly architecture: string;
  /** Keys without the architecture. */
  readonly keys: ReadonlyMap<string, Value>;
  readonly tensors: ReadonlyMap<string, SeededTensor>;
}

export type MatrixStorage = 'BF16' | 'Q8_0';

/** Type ids of tensors, and those of files (general.file_type), of gguf-py's constants. */
const typeIds = { F32: 0, BF16: 30, Q8_0: 8 } as const;
const fileTypes = { BF16: 32, Q8_0: 7 } as const;

const alignment = 32;

/** What the converter keeps in f32 whatever the file's storage is: vectors, norms, biases, routers, taps of convolutions. */
function isPlain(name: string, { shape }: SeededTensor): boolean {
  return shape.length < 2 || !/(?<!_norm|ffn_gate_inp|ffn_gate_inp_shexp|ssm_conv1d)\.weight$/.test(name);
}

/** A scale of 2^-exponent and 32 signed bytes: nothing is lost. */
function q8Bytes({ values, exponent = 0 }: SeededTensor): Uint8Array {
  const bytes = Buffer.alloc((values.length / 32) * 34);
  for (let block = 0; block < values.length / 32; block++) {
    // A power of two in f16 is its exponent alone.
    bytes.writeUInt16LE((15 - exponent) << 10, block * 34);
    for (let i = 0; i < 32; i++) bytes.writeInt8((values[block * 32 + i] ?? 0) * 2 ** exponent, block * 34 + 2 + i);
  }
  return bytes;
}

function storedBytes(tensor: SeededTensor, storage: keyof typeof typeIds): Uint8Array {
  const { values } = tensor;
  if (storage === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return storage === 'BF16' ? bf16Bytes(values) : q8Bytes(tensor);
}

function fileBytes(pairs: readonly Pair[], tensors: Iterable<readonly [string, SeededTensor]>, storage: MatrixStorage): Buffer {
  const specs: TensorSpec[] = [];
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const own = isPlain(name, tensor) ? 'F32' : storage;
    const bytes = storedBytes(tensor, own);
    specs.push({ name, dimensions: tensor.shape.toReversed(), typeId: typeIds[own], offset });
    const padding = (alignment - (bytes.length % alignment)) % alignment;
    chunks.push(bytes, new Uint8Array(padding));
    offset += bytes.length + padding;
  }
  return ggufBytes(pairs, specs, Buffer.concat(chunks));
}

function pairsOf({ architecture, keys }: GgufModel, storage: MatrixStorage): Pair[] {
  return [
    ['general.architecture', 'string', architecture],
    ['general.file_type', 'u32', fileTypes[storage]],
    ...Array.from(keys, ([key, value]): Pair => [`${architecture}.${key}`, ...value]),
  ];
}

/** The bytes of the file. */
export function modelBytes(model: GgufModel, storage: MatrixStorage = 'BF16'): Buffer {
  return fileBytes(pairsOf(model, storage), model.tensors, storage);
}

/** The bytes of each part, by its number from 1: metadata is in the first, and each has the headers of its own tensors. */
export function partBytes(model: GgufModel, count: number, storage: MatrixStorage = 'BF16'): Record<number, Buffer> {
  const tensors = [...model.tensors];
  const each = Math.ceil(tensors.length / count);
  return Object.fromEntries(
    Array.from({ length: count }, (_, part) => {
      const split: Pair[] = [
        ['split.no', 'u16', part],
        ['split.count', 'u16', count],
        ['split.tensors.count', 'i32', tensors.length],
      ];
      const pairs = part === 0 ? [...pairsOf(model, storage), ...split] : split;
      return [part + 1, fileBytes(pairs, tensors.slice(part * each, (part + 1) * each), storage)];
    }),
  );
}
