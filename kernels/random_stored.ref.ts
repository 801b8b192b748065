/**
 * Owns random matrices of storages that are several tensors, for tests and benches: the tensors as files have them, and what their
 * config.json says. Deterministic.
 */
import type { Quantization } from '../runtime/checkpoint/quantization.ts';
import { random } from './random.ref.ts';
import type { Heads } from './repack.ts';
import { nestedOffset, type RefMatrix, type RefTensor } from './stored.ref.ts';
import type { StripStorage } from './weights.ts';

export interface StoredOptions {
  readonly scales?: 'F32' | 'F16' | 'BF16' | 'F8_E8M0';
  /** Columns that share a scale; FP8: 'tensor', 'channel' or 'block' of 128 x 128. */
  readonly group?: number | 'tensor' | 'channel' | 'block';
  readonly zeroBias?: 0 | 1;
  readonly hasZeros?: boolean;
  readonly hasOrder?: boolean;
  readonly isNested?: boolean;
  /** Only scales around 1/64; without it also zero, a subnormal number and a huge one. */
  readonly isPlain?: boolean;
  /** As gpt-oss names and shapes its tensors. */
  readonly isBlocks?: boolean;
  readonly heads?: Heads;
}

export interface StoredExample {
  readonly matrix: RefMatrix;
  readonly quantization: Quantization;
}

/** Random tensors: codes of all kinds, scales around 1 / 64. */
export function randomStored(storage: StripStorage, rows: number, columns: number, seed: number, options: StoredOptions = {}): StoredExample {
  const next = random(seed);
  const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => next() * 256);
  const codes = (type: string, ...shape: number[]): RefTensor => ({ storage: type, shape, bytes: bytes(product(shape) * (type === 'I32' ? 4 : 1)) });
  const floats = (type: string, shape: readonly number[]): RefTensor => ({
    storage: type,
    shape,
    bytes: floatBytes(type, product(shape), next, options.isPlain === true),
  });
  const group = typeof options.group === 'number' ? options.group : 32;
  const groups = Math.ceil(columns / group);
  const scales = options.scales ?? 'F16';
  const common = { rows, columns, groupColumns: group };
  const example = (tensors: readonly (readonly [string, RefTensor])[], quantization: Quantization, more: Partial<RefMatrix> = {}): StoredExample => ({
    matrix: { ...common, tensors: new Map(tensors), ...more },
    quantization,
  });
  const width = Number(storage.at(-1)) as 2 | 3 | 4 | 8;
  switch (storage) {
    case 'AWQ':
      return example(
        [
          ['.qweight', codes('I32', columns, rows / 8)],
          ['.qzeros', codes('I32', groups, rows / 8)],
          ['.scales', floats(scales, [groups, rows])],
        ],
        { method: 'awq', groupColumns: group },
      );
    case 'GPTQ2':
    case 'GPTQ3':
    case 'GPTQ4':
    case 'GPTQ8': {
      const { zeroBias = 1, hasOrder = false } = options;
      return example(
        [
          ['.qweight', codes('I32', (columns * width) / 32, rows)],
          ['.qzeros', codes('I32', groups, (rows * width) / 32)],
          ['.scales', floats(scales, [groups, rows])],
          ...(hasOrder ? [['.g_idx', shuffledGroups(columns, group, next)] as const] : []),
        ],
        { method: 'gptq', bits: width, groupColumns: group, zeroBias, hasOrder },
        { zeroBias },
      );
    }
    case 'CT_INT4':
    case 'CT_INT8':
      return example(
        [
          ['.weight_packed', codes('I32', rows, (columns * width) / 32)],
          ['.weight_scale', floats(scales, [rows, groups])],
          ...(options.hasZeros ? [['.weight_zero_point', codes('I32', Math.ceil((rows * width) / 32), groups)] as const] : []),
          ...(options.hasOrder ? [['.weight_g_idx', shuffledGroups(columns, group, next)] as const] : []),
        ],
        { method: 'compressed-tensors', block: undefined },
      );
    case 'FP8': {
      const kind = typeof options.group === 'string' ? options.group : 'block';
      const block = kind === 'block' ? ([128, 128] as const) : undefined;
      const [groupRows, groupColumns] = { tensor: [rows, columns], channel: [1, columns], block: [128, 128] }[kind] as [number, number];
      const weight = codes('F8_E4M3', rows, columns);
      // Not a number is none that a weight has.
      const finite = Uint8Array.from(weight.bytes, (byte) => ((byte & 127) === 127 ? byte - 1 : byte));
      const shape = kind === 'tensor' ? [1] : [Math.ceil(rows / groupRows), Math.ceil(columns / groupColumns)];
      return example(
        [
          ['.weight', { ...weight, bytes: finite }],
          [kind === 'block' ? '.weight_scale_inv' : '.weight_scale', floats(options.scales ?? 'F32', shape)],
        ],
        { method: 'fp8', block },
        { groupRows, groupColumns },
      );
    }
    case 'FP4':
      return example(
        options.isBlocks
          ? [
              ['_blocks', codes('U8', 2, rows / 2, columns / 32, 16)],
              ['_scales', { ...floats('F8_E8M0', [2, rows / 2, columns / 32]), storage: 'U8' }],
            ]
          : [
              ['.weight', codes('I8', rows, columns / 2)],
              ['.scale', floats('F8_E8M0', [rows, columns / 32])],
            ],
        { method: options.isBlocks ? 'mxfp4' : 'none' },
      );
    case 'NF4': {
      const run = typeof options.group === 'number' ? options.group : 64;
      const runs = Math.ceil((rows * columns) / run);
      const state = {
        quant_type: 'nf4',
        blocksize: run,
        dtype: 'bfloat16',
        shape: [rows, columns],
        ...(options.isNested ? { nested_blocksize: 256, nested_dtype: 'float32', nested_offset: nestedOffset } : {}),
      };
      const json = new TextEncoder().encode(JSON.stringify(state));
      return example(
        [
          ['.weight', codes('U8', Math.ceil((rows * columns) / 2), 1)],
          ['.weight.quant_map', { storage: 'F32', shape: [16], bytes: new Uint8Array(Float32Array.from(nf4Numbers).buffer) }],
          ['.weight.quant_state.bitsandbytes__nf4', { storage: 'U8', shape: [json.length], bytes: json }],
          ...(options.isNested
            ? ([
                ['.weight.absmax', codes('U8', runs)],
                ['.weight.nested_quant_map', floats('F32', [256])],
                ['.weight.nested_absmax', floats('F32', [Math.ceil(runs / 256)])],
              ] as const)
            : ([['.weight.absmax', floats('F32', [runs])]] as const)),
        ],
        { method: 'bitsandbytes' },
        { groupColumns: run },
      );
    }
  }
}

const product = (shape: readonly number[]): number => shape.reduce((size, dimension) => size * dimension, 1);

/** From the paper's appendix (Dettmers et al. 2023), as bitsandbytes has them. */
const nf4Numbers = [
  ...[-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
];

/** Scales around 1/64, some negative. */
function floatBytes(type: string, length: number, next: () => number, isPlain: boolean): Uint8Array {
  const values = Float32Array.from({ length }, () => ((0.5 + next()) / 64) * (next() < 0.125 ? -1 : 1));
  if (type === 'F8_E8M0') return Uint8Array.from({ length }, () => 118 + next() * 6);
  if (!isPlain && length > 64) values.set([0, 2 ** -24, 3 * 2 ** -17, 60000]);
  if (type === 'F32') return new Uint8Array(values.buffer);
  if (type === 'F16') return new Uint8Array(Float16Array.from(values).buffer);
  return new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16).buffer);
}

/** Groups of their size each, columns of them anywhere. */
function shuffledGroups(columns: number, group: number, next: () => number): RefTensor {
  const groups = Int32Array.from({ length: columns }, (_, column) => Math.floor(column / group));
  for (let i = columns - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [groups[i], groups[j]] = [groups[j] ?? 0, groups[i] ?? 0];
  }
  return { storage: 'I32', shape: [columns], bytes: new Uint8Array(groups.buffer) };
}
