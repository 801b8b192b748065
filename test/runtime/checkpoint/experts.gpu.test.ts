/** Experts on their way to the device: every form in which files have them, in storages of one tensor and of several. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCheckpoint, type Stored } from '../../../bench/kernels/stored.ts';
import type { ExpertMatrix } from '../../../kernels/experts.ts';
import { dequantizeRow } from '../../../kernels/formats.ref.ts';
import { randomFileRows } from '../../../kernels/random.ref.ts';
import { randomStored, type StoredOptions } from '../../../kernels/random_stored.ref.ts';
import { storedRow } from '../../../kernels/stored.ref.ts';
import { isBlockStorage, packedSize, type StorageWithKernels } from '../../../kernels/weights.ts';
import type { ExpertTensors, WeightSpec } from '../../../models/index.ts';
import { loadWeights, weightSize } from '../../../runtime/checkpoint/loader.ts';
import type { Checkpoint } from '../../../runtime/checkpoint/types.ts';
import { Gpu } from '../../gpu.ts';
import { readRows } from '../../packed.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const experts = 3;
const numbers = [0, 1, 2];
const both: Omit<ExpertTensors, 'experts' | 'rows'> = { parts: ['x.experts.*.gate', 'x.experts.*.up'] };

/** A matrix of one expert or part, and its rows as the device has them. */
interface Made {
  readonly stored: Stored;
  row(index: number): number[];
}

function make(storage: StorageWithKernels, rows: number, columns: number, seed: number, options: StoredOptions = {}): Made {
  const onDevice = (values: ArrayLike<number>): number[] => Array.from(values, (value) => Math.fround(value) + 0);
  if (isBlockStorage(storage)) {
    const bytes = randomFileRows(storage, rows, columns, seed);
    const size = bytes.length / rows;
    const tensors = new Map([['.weight', { storage, shape: [rows, columns], bytes }]]);
    const row = (index: number): number[] => onDevice(dequantizeRow(storage, bytes.subarray(index * size, (index + 1) * size), columns));
    return { stored: { matrix: { tensors }, quantization: { method: 'none' } }, row };
  }
  const example = randomStored(storage, rows, columns, seed, { isPlain: true, ...options });
  return { stored: example, row: (index) => onDevice(storedRow(storage, example.matrix, index)) };
}

/** Tensors of all experts as one each, experts outermost. `rename`: what follows the name. */
function stack(all: readonly Made[], rename = (suffix: string): string => suffix): Stored {
  const [first] = all;
  if (first === undefined) throw new Error('no experts');
  const tensors = new Map(
    Array.from(first.stored.matrix.tensors, ([suffix, tensor]) => {
      const parts = all.map(({ stored }) => stored.matrix.tensors.get(suffix)?.bytes ?? new Uint8Array());
      // The leading dimensions of gpt-oss's blocks are rows.
      const shape = suffix === '_blocks' ? [tensor.bytes.length / (tensor.shape.at(-2) ?? 1) / 16, ...tensor.shape.slice(-2)] : tensor.shape;
      const flat = suffix === '_scales' ? [tensor.bytes.length / (tensor.shape.at(-1) ?? 1), ...tensor.shape.slice(-1)] : shape;
      return [rename(suffix), { ...tensor, shape: [all.length, ...flat], bytes: Buffer.concat(parts) }] as const;
    }),
  );
  return { ...first.stored, matrix: { tensors } };
}

/** Two experts a shard. */
async function load(checkpoint: Checkpoint, spec: WeightSpec & { kind: 'experts' }, storage: StorageWithKernels): Promise<ExpertMatrix> {
  const { device } = gpu.open;
  const rows = (spec.rows + (spec.padding ?? 0)) * spec.parts.length;
  const bindingLimit = packedSize(storage, 2 * rows, spec.columns);
  const target = { device, memory: gpu.memory, pipelines: gpu.pipelines, place: 'buffer', bindingLimit, textureLimit: 8192 } as const;
  const progress: number[] = [];
  const specs = new Map([['e', spec]]);
  const weights = await loadWeights(checkpoint, specs, { ...target, onProgress: ({ done, total }) => progress.push(done, total) });
  const size = packedSize(storage, experts * rows, spec.columns);
  expect(weightSize(checkpoint, specs)).toBe(size);
  expect(progress.slice(-2)).toEqual([size, size]);
  return weights.experts('e');
}

async function lookUp({ storage, rows, columns, shards }: ExpertMatrix): Promise<number[][]> {
  const found: number[][] = [];
  for (const { packed, experts: count } of shards) {
    found.push(...(await readRows(gpu, { storage, rows: count * rows, columns, shards: [{ firstRow: 0, rows: count * rows, packed }] })));
  }
  return found;
}

/** Rows of all experts, quads of their parts in turns: `row` gives one of an expert's part. */
function inQuads(rows: number, parts: number, row: (expert: number, part: number, index: number) => number[]): number[][] {
  return numbers.flatMap((expert) =>
    Array.from({ length: rows * parts }, (_, i) => row(expert, Math.floor(i / 4) % parts, Math.floor(i / 4 / parts) * 4 + (i % 4))),
  );
}

test.each([
  ['F32', {}],
  ['AWQ', {}],
  ['GPTQ4', {}],
  ['FP8', { group: 'block' }],
  ['NF4', { isNested: true }],
] as const)('a tensor an expert, or a set of them: %s', async (storage, options) => {
  const [rows, columns] = [32, 64];
  const made = both.parts.map((_, part) => numbers.map((expert) => make(storage, rows, columns, 1 + part * experts + expert, options)));
  const stored = both.parts.flatMap((name, part) => numbers.map((expert) => [name.replace('*', `${expert}`), (made[part] ?? [])[expert]?.stored as Stored]));
  const matrix = await load(createCheckpoint(Object.fromEntries(stored)), { kind: 'experts', experts, rows, columns, ...both }, storage);
  expect(matrix.shards.map((shard) => [shard.firstExpert, shard.experts])).toEqual([[0, 2], [2, 1]]); // biome-ignore format: pairs
  expect(await lookUp(matrix)).toEqual(inQuads(rows, 2, (expert, part, index) => made[part]?.[expert]?.row(index) ?? []));
});

test.each([
  ['Q4_K', 256, 1],
  ['MXFP4', 64, 2],
  ['FP8', 256, 2],
] as const)('a tensor a part, with all experts: %s', async (storage, columns, parts) => {
  const rows = 64;
  const made = Array.from({ length: parts }, (_, part) => numbers.map((expert) => make(storage, rows, columns, 1 + part * experts + expert)));
  const checkpoint = createCheckpoint(Object.fromEntries(made.map((all, part) => [['x.experts.gate', 'x.experts.up'][part], stack(all)])));
  const matrix = await load(checkpoint, { kind: 'experts', experts, rows, columns, parts: both.parts.slice(0, parts) }, storage);
  expect(await lookUp(matrix)).toEqual(inQuads(rows, parts, (expert, part, index) => made[part]?.[expert]?.row(index) ?? []));
});

test.each([
  ['BF16', 'below', ''],
  // The second block of 128 rows begins within the second part.
  ['FP8', 'below', '_scale_inv'],
  ['FP4', 'inTurns', '_scales'],
  ['Q8_0', 'inTurns', ''],
] as const)('all parts in one tensor: %s, rows %s', async (storage, order, scales) => {
  const [rows, columns] = [96, 64];
  const made = numbers.map((expert) => make(storage, 2 * rows, columns, 1 + expert, { isBlocks: true }));
  const all = stack(made, (suffix) => suffix.replace('.weight', ''));
  expect(Array.from(all.matrix.tensors.keys()).includes(scales)).toBe(true);
  const spec = { kind: 'experts', experts, rows, columns, ...both, joined: { tensor: 'x.experts.both', rows: order } } as const;
  const matrix = await load(createCheckpoint({ 'x.experts.both': all }), spec, storage);
  const place = (part: number, index: number): number => (order === 'below' ? part * rows + index : index * 2 + part);
  expect(await lookUp(matrix)).toEqual(inQuads(rows, 2, (expert, part, index) => made[expert]?.row(place(part, index)) ?? []));
});

test.each(['below', 'inTurns'] as const)('widths that are no multiple of 32 are filled up with zeros: rows %s', async (order) => {
  const [rows, padding, columns] = [20, 12, 64];
  const joint = numbers.map((expert) => make('BF16', 2 * rows, columns, 1 + expert));
  const down = numbers.map((expert) => make('F16', columns, rows, 11 + expert));
  const checkpoint = createCheckpoint({ 'x.experts.both': stack(joint), 'x.experts.down': stack(down) });
  const spec = { kind: 'experts', experts, rows, padding, columns, ...both, joined: { tensor: 'x.experts.both', rows: order } } as const;
  const place = (part: number, index: number): number => (order === 'below' ? part * rows + index : index * 2 + part);
  const zeros = (length: number): number[] => Array.from({ length }, () => 0);
  expect(await lookUp(await load(checkpoint, spec, 'BF16'))).toEqual(
    inQuads(rows + padding, 2, (expert, part, index) => (index < rows ? (joint[expert]?.row(place(part, index)) ?? []) : zeros(columns))),
  );
  const after = { kind: 'experts', experts, rows: columns, columns: rows + padding, storedColumns: rows, parts: ['x.experts.*.down'] } as const;
  expect(await lookUp(await load(checkpoint, after, 'F16'))).toEqual(
    inQuads(columns, 1, (expert, _, index) => [...(down[expert]?.row(index) ?? []), ...zeros(padding)]),
  );
});
