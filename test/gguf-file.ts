/**
 * Owns the writing of small GGUF files for tests: key-value pairs and tensors as bytes. Writes what it is told,
 * also what is wrong; refuses nothing.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const typeIds = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11, f64: 12 } as const;
export type TypeName = keyof typeof typeIds;

export type Pair = readonly [key: string, type: TypeName, value: unknown, elementType?: Exclude<TypeName, 'array'>];
export interface TensorSpec {
  readonly name: string;
  /** Innermost first, as the file stores them. */
  readonly dimensions: readonly number[];
  readonly typeId: number;
  readonly offset: number;
}

const u32 = (value: number) => scalar('u32', value);
const u64 = (value: number) => scalar('u64', value);

function scalar(type: TypeName, value: unknown): Buffer {
  const bytes = Buffer.alloc(8);
  const number = Number(value);
  switch (type) {
    case 'u8':
    case 'bool':
      return bytes.subarray(0, bytes.writeUInt8(number));
    case 'i8':
      return bytes.subarray(0, bytes.writeInt8(number));
    case 'u16':
      return bytes.subarray(0, bytes.writeUInt16LE(number));
    case 'i16':
      return bytes.subarray(0, bytes.writeInt16LE(number));
    case 'u32':
      return bytes.subarray(0, bytes.writeUInt32LE(number));
    case 'i32':
      return bytes.subarray(0, bytes.writeInt32LE(number));
    case 'f32':
      return bytes.subarray(0, bytes.writeFloatLE(number));
    case 'f64':
      return bytes.subarray(0, bytes.writeDoubleLE(number));
    case 'u64':
      return bytes.subarray(0, bytes.writeBigUInt64LE(BigInt(value as number | bigint)));
    case 'i64':
      return bytes.subarray(0, bytes.writeBigInt64LE(BigInt(value as number | bigint)));
    default:
      return string(String(value));
  }
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}

function pair([key, type, value, elementType]: Pair): Buffer {
  if (type !== 'array' || elementType === undefined) return Buffer.concat([string(key), u32(typeIds[type]), scalar(type, value)]);
  const elements = value as ArrayLike<unknown>;
  return Buffer.concat([
    string(key),
    u32(typeIds.array),
    u32(typeIds[elementType]),
    u64(elements.length),
    ...Array.from(elements, (element) => scalar(elementType, element)),
  ]);
}

function tensor({ name, dimensions, typeId, offset }: TensorSpec): Buffer {
  return Buffer.concat([string(name), u32(dimensions.length), ...dimensions.map(u64), u32(typeId), u64(offset)]);
}

/** The bytes of a GGUF file with alignment 32; `data` follows the padded header. */
export function ggufBytes(pairs: readonly Pair[], tensors: readonly TensorSpec[] = [], data: Uint8Array = new Uint8Array()): Buffer {
  const header = Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(pairs.length), ...pairs.map(pair), ...tensors.map(tensor)]);
  return Buffer.concat([header, Buffer.alloc(data.length === 0 ? 0 : (32 - (header.length % 32)) % 32), data]);
}

/** A folder for files of one test file; `write` gives the path of a new file with these bytes. */
export function createFolder(): { readonly path: string; write(bytes: Uint8Array): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'inward-test-'));
  let count = 0;
  return {
    path,
    write(bytes) {
      const file = join(path, `${count++}.gguf`);
      writeFileSync(file, bytes);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Pairs of a byte-level BPE vocabulary: the 256 bytes, `merges` with their results, control and user tokens. */
export function tokenizerPairs(options: {
  readonly merges?: readonly string[];
  readonly control?: readonly string[];
  readonly user?: readonly string[];
  readonly pre?: string;
  readonly template?: string;
  readonly extra?: readonly Pair[];
}): Pair[] {
  const { merges = [], control = [], user = [], pre = 'gpt-2', template, extra = [] } = options;
  const bytes: string[] = [];
  for (let byte = 0, next = 0x100; byte < 256; byte++) {
    bytes.push(String.fromCharCode((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174 ? byte : next++));
  }
  const normal = [...bytes, ...merges.map((merge) => merge.replace(' ', ''))];
  return [
    ['general.architecture', 'string', 'llama'],
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', pre],
    ['tokenizer.ggml.tokens', 'array', [...normal, ...control, ...user], 'string'],
    ['tokenizer.ggml.token_type', 'array', [...normal.map(() => 1), ...control.map(() => 3), ...user.map(() => 4)], 'i32'],
    ['tokenizer.ggml.merges', 'array', merges, 'string'],
    ...(template === undefined ? [] : ([['tokenizer.chat_template', 'string', template]] as const)),
    ...extra,
  ];
}

/** Folders of models in parts; `write` gives the path of the first one of a new model. Parts that are undefined are left out. */
export function createParts(): { write(files: Readonly<Record<number, Uint8Array | undefined>>, count?: number): string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'inward-test-'));
  let models = 0;
  return {
    write(files, count = 3) {
      const model = join(root, `model${models++}`);
      const nameOf = (part: number): string => `${model}-${String(part).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;
      for (const [part, bytes] of Object.entries(files)) if (bytes !== undefined) writeFileSync(nameOf(Number(part)), bytes);
      return nameOf(1);
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
