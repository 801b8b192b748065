/** What is refused of storages that are several tensors: by the name of the tensor, its storage, and what would do. No device is touched. */
import { describe, expect, test } from 'vitest';
import { createCheckpoint } from '../../../bench/kernels/stored.ts';
import { randomStored, type StoredExample, type StoredOptions } from '../../../kernels/random_stored.ref.ts';
import type { RefTensor } from '../../../kernels/stored.ref.ts';
import type { StripStorage } from '../../../kernels/weights.ts';
import type { Quantization } from '../../../runtime/checkpoint/quantization.ts';
import { findMatrix } from '../../../runtime/checkpoint/stored.ts';
import { rawSizeOf, readChunk } from '../../../runtime/checkpoint/strips.ts';
import { findStored } from '../../stored.ts';

type Change = (tensors: Map<string, RefTensor>) => void;

/** The same example with other tensors. */
function changed(example: StoredExample, change: Change, quantization: Quantization = example.quantization): StoredExample {
  const tensors = new Map(example.matrix.tensors);
  change(tensors);
  return { matrix: { ...example.matrix, tensors }, quantization };
}

function refusal(example: StoredExample): { part: string; expected: string; found: string } {
  const { rows, columns } = example.matrix;
  try {
    findMatrix(createCheckpoint({ m: example }), { tensor: 'm.weight', rows }, columns);
  } catch (error) {
    const { code, fields } = error as { code: string; fields: { part: string; expected: string | number; found: string | number } };
    expect(code).toMatch(/^(model_unsupported|checkpoint_invalid)$/);
    return { part: fields.part, expected: String(fields.expected), found: String(fields.found) };
  }
  throw new Error('nothing was refused');
}

const reshape =
  (suffix: string, ...shape: number[]): Change =>
  (tensors) => {
    const tensor = tensors.get(suffix);
    if (tensor !== undefined) tensors.set(suffix, { ...tensor, shape });
  };
const retype =
  (suffix: string, storage: string): Change =>
  (tensors) => {
    const tensor = tensors.get(suffix);
    if (tensor !== undefined) tensors.set(suffix, { ...tensor, storage });
  };
const remove =
  (suffix: string): Change =>
  (tensors) => {
    tensors.delete(suffix);
  };

const rows: readonly (readonly [StripStorage, what: string, StoredOptions, Change, part: string, expected: string, found: string])[] = [
  ['AWQ', 'no zero points', {}, remove('.qzeros'), 'm.qzeros', 'I32 of shape 2 x 8', 'nothing'],
  ['AWQ', 'no scales', {}, remove('.scales'), 'm.scales', 'F16 or BF16 of shape 2 x 64', 'nothing'],
  ['AWQ', 'scales of another group', {}, reshape('.scales', 1, 64), 'm.scales', '2 x 64', 'F16 of shape 1 x 64'],
  ['AWQ', 'F32 scales', {}, retype('.scales', 'F32'), 'm.scales', 'F16 or BF16', 'F32'],
  ['AWQ', 'codes packed the other way', {}, reshape('.qweight', 8, 64), 'm.qweight', '64 x 8', '8 x 64'],
  ['GPTQ4', 'no zero points', {}, remove('.qzeros'), 'm.qzeros', 'I32 of shape 2 x 8', 'nothing'],
  ['GPTQ3', 'zero points of 4 bits', {}, reshape('.qzeros', 2, 8), 'm.qzeros', '2 x 6', '2 x 8'],
  ['GPTQ4', 'an order without its groups', { hasOrder: true }, remove('.g_idx'), 'm.g_idx', 'I32 of shape 64', 'nothing'],
  ['GPTQ4', 'groups of fewer columns', { hasOrder: true }, reshape('.g_idx', 32), 'm.g_idx', 'shape 64', 'shape 32'],
  [
    'GPTQ4',
    'a group past the last',
    { hasOrder: true },
    (tensors) => new Int32Array(tensors.get('.g_idx')?.bytes.buffer as ArrayBuffer).set([2]),
    'm.g_idx',
    'groups 0 to 1',
    '2',
  ],
  [
    'GPTQ4',
    'a group below the first',
    { hasOrder: true },
    (tensors) => new Int32Array(tensors.get('.g_idx')?.bytes.buffer as ArrayBuffer).set([-1]),
    'm.g_idx',
    'groups 0 to 1',
    '-1',
  ],
  [
    'GPTQ4',
    'groups of unequal size',
    { hasOrder: true },
    (tensors) => new Int32Array(tensors.get('.g_idx')?.bytes.buffer as ArrayBuffer).fill(0),
    'm.g_idx',
    '32 columns in group 0',
    '64',
  ],
  ['CT_INT4', 'no scales', {}, remove('.weight_scale'), 'm.weight_scale', 'F16 or BF16', 'nothing'],
  ['CT_INT4', 'scales of two rows', {}, reshape('.weight_scale', 2, 2), 'm.weight_scale', '64 x 2', '2 x 2'],
  ['CT_INT8', 'zero points for each row', { hasZeros: true }, reshape('.weight_zero_point', 64, 2), 'm.weight_zero_point', '16 x 2', '64 x 2'],
  ['CT_INT8', 'codes of half the columns', {}, reshape('.weight_packed', 128, 8), 'm.weight_packed', '64 x 8 or 64 x 16', '128 x 8'],
  ['FP8', 'no scale', {}, remove('.weight_scale_inv'), 'm.weight_scale', 'F32 or F16 or BF16 or F8_E8M0', 'nothing'],
  ['FP8', 'a grid of other blocks', {}, reshape('.weight_scale_inv', 2, 1), 'm.weight_scale_inv', '1 x 1', '2 x 1'],
  ['FP8', 'scales of half the rows', { group: 'channel' }, reshape('.weight_scale', 32, 2), 'm.weight_scale', '64 x 1', '32 x 2'],
  ['FP8', 'integer scales', { group: 'channel' }, retype('.weight_scale', 'I32'), 'm.weight_scale', 'F32', 'I32'],
  ['FP4', 'no scales', {}, remove('.scale'), 'm.scale', 'F8_E8M0 of shape 64 x 2', 'nothing'],
  ['FP4', 'scales of 16 columns', {}, reshape('.scale', 64, 4), 'm.scale', '64 x 2', '64 x 4'],
  ['NF4', 'no absmax', {}, remove('.weight.absmax'), 'm.weight.absmax', 'F32 of shape 64', 'nothing'],
  ['NF4', 'no state', {}, remove('.weight.quant_state.bitsandbytes__nf4'), 'm.weight.quant_state', 'JSON', 'nothing'],
  ['NF4', 'bytes without codes', { isNested: true }, remove('.weight.nested_quant_map'), 'm.weight.nested_quant_map', 'F32 of shape 256', 'nothing'],
  [
    'NF4',
    'other numbers',
    {},
    (tensors) => new Float32Array(tensors.get('.weight.quant_map')?.bytes.buffer as ArrayBuffer).set([-2]),
    'm.weight.quant_map',
    '16 numbers of NF4',
    'others',
  ],
];

describe.each(rows)('%s, %s', (storage, _, options, change, part, expected, found) => {
  test('is refused with tensor, storage and what would do', () => {
    const got = refusal(changed(randomStored(storage, 64, 64, 3, options), change));
    expect(got.part).toContain(`tensor ${part}`);
    expect(got.part).toMatch(new RegExp(`of storage .*${storage}`));
    expect(got.expected).toContain(expected);
    expect(got.found).toContain(found);
  });
});

test.each([
  ['AWQ', 48],
  ['GPTQ4', 40],
  ['CT_INT4', 72],
  ['FP8', 33],
  ['FP4', 16],
  ['NF4', 34],
] as const)('%s with rows of %i elements', (storage, columns) => {
  const example = randomStored(storage, 64, 64, 3);
  const got = refusal({ ...example, matrix: { ...example.matrix, columns } });
  expect(got.part).toMatch(new RegExp(`tensor m.* of storage ${storage}`));
  expect(got.expected).toBe('rows of a multiple of 32 elements');
  expect(got.found).toBe(String(columns));
});

test.each(['AWQ', 'GPTQ4'] as const)('%s with groups of 16 columns', (storage) => {
  const example = randomStored(storage, 64, 64, 3);
  const quantization = { ...example.quantization, groupColumns: 16 } as Quantization;
  expect(refusal(changed(example, () => undefined, quantization))).toMatchObject({ expected: 'groups of a multiple of 32 columns', found: '16' });
});

test('tensors of one method under the name of another', () => {
  expect(refusal(changed(randomStored('GPTQ4', 64, 64, 3), () => undefined, { method: 'none' }))).toMatchObject({
    expected: 'quant_method awq or gptq',
    found: 'none',
  });
  const packed = changed(randomStored('CT_INT4', 64, 64, 3), () => undefined, { method: 'fp8', block: undefined });
  expect(refusal(packed)).toMatchObject({ expected: 'quant_method compressed-tensors', found: 'fp8' });
});

test('NF4 whose state is of another matrix, has an odd run, or is no JSON', () => {
  const state = (text: string): Change => {
    const bytes = new TextEncoder().encode(text);
    return (tensors) => tensors.set('.weight.quant_state.bitsandbytes__nf4', { storage: 'U8', shape: [bytes.length], bytes });
  };
  const example = randomStored('NF4', 64, 64, 3);
  expect(refusal(changed(example, state('{"blocksize":64,"shape":[32,128]}')))).toMatchObject({ expected: 'shape 64 x 64' });
  expect(refusal(changed(example, state('{"blocksize":48,"shape":[64,64]}')))).toMatchObject({ expected: 'a multiple of 32', found: '48' });
  expect(refusal(changed(example, state('{"blocksize":64')))).toMatchObject({ expected: 'JSON' });
});

const manyOnes = Array<number>(5000).fill(1);

test.each([
  ['AWQ', reshape('.qweight', ...manyOnes), 'I32 of shape 5000 dimensions'],
  ['FP8', reshape('.weight_scale_inv', ...manyOnes), 'F32 of shape 5000 dimensions'],
  ['FP8', reshape('.weight_scale_inv', ...Array<number>(9).fill(2)), 'F32 of shape 9 dimensions'],
  // Leading dimensions make up the rows, here all 64 of them, and come into what is expected too.
  ['FP4', reshape('.weight', 64, ...manyOnes, 31), 'I8 of shape 5002 dimensions'],
  ['AWQ', reshape('.scales'), 'F16 of shape a scalar'],
] as const)('%s: of a shape with more than eight dimensions an error has their count', (storage, change, found) => {
  const got = refusal(changed(randomStored(storage, 64, 64, 3), change));
  expect(got.found).toBe(found);
  expect(got.expected.length).toBeLessThan(200);
});

test('a plain tensor with more than eight dimensions, too', () => {
  const example = randomStored('FP8', 64, 64, 3);
  const plain: Change = (tensors) => tensors.set('.weight', { storage: 'F32', shape: manyOnes, bytes: new Uint8Array(4) });
  expect(refusal(changed(example, plain))).toMatchObject({ part: 'tensor m.weight in no file', found: '5000 dimensions' });
});

test('a plain tensor of a type without kernels, and none at all', () => {
  const example = randomStored('FP8', 64, 64, 3);
  expect(refusal(changed(example, retype('.weight', 'F8_E5M2')))).toMatchObject({ part: 'tensor m.weight in no file', found: 'F8_E5M2' });
  expect(refusal(changed(example, remove('.weight')))).toMatchObject({ part: 'tensor m.weight in no file', expected: 'shape 64 x 64', found: 'nothing' });
});

test.each(['AWQ', 'GPTQ3', 'GPTQ8', 'CT_INT4', 'FP8', 'NF4'] as const)(
  '%s: chunks of rows hold what the rows need and no more, and what the whole has',
  (storage) => {
    const stored = findStored(randomStored(storage, 128, 256, 3, { hasZeros: true }));
    const read = (row: number, count: number) => {
      const bytes = new Uint8Array(rawSizeOf(stored, row, count));
      return { bytes, layout: readChunk(stored, row, count, bytes) };
    };
    const parts = [0, 32, 64, 96].map((row) => read(row, 32));
    const all = read(0, 128);
    // Within the rounding of a strip to whole words and runs.
    expect(parts.reduce((sum, { bytes }) => sum + bytes.length - 4, 0)).toBeLessThan(all.bytes.length - 4 + 4 * 3 * 8);
    const lines = (chunk: (typeof parts)[number]): Uint8Array => chunk.bytes.subarray(chunk.layout.codes.offset, chunk.layout.scales?.offset ?? 0);
    const size = all.layout.codes.rowSize;
    const joined =
      size === parts[0]?.layout.codes.rowSize
        ? parts.flatMap((chunk) => [...lines(chunk)])
        : Array.from({ length: lines(all).length }, (_, i) => {
            const [line, at] = [Math.floor(i / size), i % size];
            return lines(parts[Math.floor(at / (size / 4))] as (typeof parts)[number])[line * (size / 4) + (at % (size / 4))];
          });
    expect(Buffer.from(joined as number[]).equals(Buffer.from(lines(all)))).toBe(true);
  },
);
