import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AttentionShape, slotVectors } from '../../kernels/attention.ts';
import { headReference, headsBound } from '../../kernels/heads.ref.ts';
import { type HeadOptions, headRowLength, heads } from '../../kernels/heads.ts';
import type { Place } from '../../kernels/kernel.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { ropeFrequencies, rotationTable } from '../../models/rope.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import { Sequence } from '../../runtime/scheduling/sequence.ts';
import type { BlockId } from '../../runtime/types.ts';
import { compare, Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const sink = { event: () => undefined, fail: () => undefined };
const blockLength = 16;
const blocks = [5, 2] as BlockId[];
const limits = { maxTokens: 8, maxSequences: 1, maxLogitRows: 1, contextLength: 64, blockCount: 8, blockLength, maxEdits: 0 };
const [first, end] = [13, 18];
/** A pool that nothing has written yet. */
const untouched = 0x64646464;

interface Kind {
  readonly name: string;
  readonly kv: AttentionShape['kv'];
  readonly place: Place;
  readonly headLength: number;
  readonly rotaryLength: number;
  readonly options?: HeadOptions;
  readonly normed?: boolean;
  readonly ofValues?: boolean;
  readonly scale?: number;
}

const kinds: readonly Kind[] = [
  { name: 'interleaved', kv: 'q8', place: 'texture', headLength: 64, rotaryLength: 64 },
  { name: 'interleaved, a part that ends inside of a quad', kv: 'f32', place: 'buffer', headLength: 32, rotaryLength: 10 },
  { name: 'interleaved, last channels', kv: 'f16', place: 'buffer', headLength: 64, rotaryLength: 16, options: { rotaryStart: 48 } },
  { name: 'half-split, normed', kv: 'f16', place: 'texture', headLength: 128, rotaryLength: 128, options: { pairs: 'halfSplit' }, normed: true },
  { name: 'half-split, first channels', kv: 'q8', place: 'texture', headLength: 32, rotaryLength: 24, options: { pairs: 'halfSplit' } },
  {
    name: 'all normed, values are keys',
    kv: 'f32',
    place: 'texture',
    headLength: 512,
    rotaryLength: 512,
    options: { pairs: 'halfSplit', sharesKeys: true },
    normed: true,
    ofValues: true,
    scale: 1,
  },
  {
    name: 'queries that grow',
    kv: 'f16',
    place: 'buffer',
    headLength: 32,
    rotaryLength: 32,
    options: { pairs: 'halfSplit', growth: { by: 0.1, originalLength: 5 } },
  },
  {
    name: 'gates between queries',
    kv: 'q8',
    place: 'texture',
    headLength: 72,
    rotaryLength: 16,
    options: { pairs: 'halfSplit', queryPitch: 144 },
    normed: true,
  },
  { name: 'no rotation', kv: 'f32', place: 'texture', headLength: 40, rotaryLength: 0 },
  { name: 'queries only', kv: 'f16', place: 'texture', headLength: 64, rotaryLength: 64, options: { pairs: 'halfSplit', onlyQueries: true } },
];

/** Runs the kernel over five tokens that cross a block's border. */
async function split(
  kind: Kind,
): Promise<{ shape: AttentionShape; options: HeadOptions; rows: Float32Array; queries: Float32Array; pool: ArrayBuffer; weights: Float32Array[] }> {
  const { kv, place, headLength, rotaryLength, normed = false, ofValues = false } = kind;
  const batch = new Batch(limits);
  const sequence = new Sequence({ promptIds: new Uint32Array(end), maxTokens: 1 }, 64, sink);
  sequence.blocks = blocks;
  sequence.computed = first;
  batch.addTokens(sequence, end - first);
  const shape: AttentionShape = {
    heads: 4,
    kvHeads: 2,
    headLength,
    rotaryLength,
    kv,
    blockLength,
    poolFold: 3,
    lanes: gpu.lanes,
    layout: batch.layout,
    ...(kind.scale === undefined ? {} : { scale: kind.scale }),
  };
  const weights = [randomFloats(headLength, 7), randomFloats(headLength, 8)];
  const [query, key] = weights.map((values) => gpu.uniform(values as Float32Array<ArrayBuffer>));
  const norm = normed && query && key ? { norm: { query, key, epsilon: 1e-5, ofValues } } : {};
  const options = { ...kind.options, ...norm };
  const width = headRowLength(shape, options);
  const rows = randomFloats((end - first) * width, 3, 3);
  rows.fill(0, 0, headLength);
  const slots = limits.blockCount * blockLength;
  const y = gpu.vectors(new Float32Array((end - first) * shape.heads * headLength), shape.heads * headLength, place);
  const pool = gpu.pool(new Float32Array(new Uint32Array(slots * slotVectors(shape) * 4).fill(untouched).buffer), slotVectors(shape), shape.poolFold, place);
  const table = rotationTable(ropeFrequencies(rotaryLength, 100), limits.contextLength);
  const buffers = {
    rows: gpu.vectors(rows, width, place),
    queries: y,
    pool,
    rotation: gpu.buffer(table.length > 0 ? table : new Float32Array(4)),
    batch: gpu.buffer(batch.seal()),
  };
  await gpu.run([heads(shape, options, buffers)], batch.counts);
  return { shape, options, rows, queries: await gpu.readVectors(y), pool: await gpu.readBytes(pool), weights };
}

/** Values of a head's keys or values in the pool's bytes. */
function stored({ kvHeads, headLength, kv, ...shape }: AttentionShape, pool: ArrayBuffer, position: number, kvHead: number, isValue: number): number[] {
  const slot = (blocks[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
  const start = slot * slotVectors({ kvHeads, headLength, kv, ...shape }) * 16;
  const headSize = { f32: headLength * 4, f16: headLength * 2, q8: Math.ceil(headLength / 16) * 16 }[kv];
  const at = start + (isValue * kvHeads + kvHead) * headSize;
  if (kv === 'f32') return [...new Float32Array(pool, at, headLength)];
  if (kv === 'f16') return [...new Float16Array(pool, at, headLength)];
  const scale = new Float32Array(pool, start + 2 * kvHeads * headSize + kvHead * 16, 2)[isValue] ?? Number.NaN;
  return [...new Int8Array(pool, at, headLength)].map((code) => code * scale);
}

/** Normalised error, and for q8 the largest error of a value in units of its head's largest. */
function expectStored(kv: AttentionShape['kv'], got: readonly number[], expected: Float64Array): void {
  const { error, message } = compare(got, expected);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (kv === 'q8') {
    const worst = Math.max(...got.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN))));
    expect(worst, message).toBeLessThanOrEqual((largest / 254) * 1.0001);
  } else expect(error, message).toBeLessThan(kv === 'f16' ? 2 ** -21 : headsBound);
}

describe('heads', () => {
  it.each(kinds)('$name, $headLength channels, $rotaryLength rotated, $kv in a $place', async (kind) => {
    const { shape, options, rows, queries, pool, weights } = await split(kind);
    const { headLength, rotaryLength, kvHeads } = shape;
    const { pairs = 'interleaved', rotaryStart = 0, norm, queryPitch = headLength, growth } = options;
    const width = headRowLength(shape, options);
    const angles = (position: number): number[] => Array.from({ length: rotaryLength / 2 }, (_, i) => position * 100 ** ((-2 * i) / rotaryLength));
    const finish = (at: number, position: number, part: 'query' | 'key' | 'value'): Float64Array =>
      headReference(rows.subarray(at, at + headLength), {
        pairs,
        rotaryStart,
        factor: 1,
        angles: part === 'value' ? [] : angles(position),
        ...(norm && (part !== 'value' || norm.ofValues) ? { epsilon: norm.epsilon } : {}),
        ...(norm && part !== 'value' ? { weights: weights[part === 'query' ? 0 : 1] ?? new Float32Array() } : {}),
      });
    const expected: number[] = [];
    for (let position = first; position < end; position++) {
      const row = (position - first) * width;
      const scale = (shape.scale ?? headLength ** -0.5) * (growth ? 1 + growth.by * Math.log(1 + Math.floor(position / growth.originalLength)) : 1);
      for (let head = 0; head < shape.heads; head++) expected.push(...finish(row + head * queryPitch, position, 'query').map((value) => value * scale));
      const keys = row + shape.heads * queryPitch;
      const values = options.sharesKeys ? keys : keys + kvHeads * headLength;
      for (let kvHead = 0; kvHead < kvHeads && !options.onlyQueries; kvHead++) {
        expectStored(shape.kv, stored(shape, pool, position, kvHead, 0), finish(keys + kvHead * headLength, position, 'key'));
        expectStored(shape.kv, stored(shape, pool, position, kvHead, 1), finish(values + kvHead * headLength, position, 'value'));
      }
    }
    const { error, message } = compare(queries, expected);
    expect(error, message).toBeLessThan(headsBound);
    // Nothing but the five slots is written.
    const words = new Uint32Array(pool);
    const slotLength = slotVectors(shape) * 4;
    const written = Array.from({ length: limits.blockCount * blockLength }, (_, slot) => slot).filter((slot) =>
      words.subarray(slot * slotLength, (slot + 1) * slotLength).some((word) => word !== untouched),
    );
    expect(written).toEqual(options.onlyQueries ? [] : [32, 33, 93, 94, 95]);
  });
});
