import { beforeAll, describe, expect, it } from 'vitest';
import { attentionBound, attentionReference } from '../../kernels/attention.ref.ts';
import { type AttentionShape, attention, attentionMerge, slotVectors } from '../../kernels/attention.ts';
import { random, randomFloats } from '../../kernels/random.ref.ts';
import { Batch } from '../../runtime/batch.ts';
import { Sequence } from '../../runtime/sequence.ts';
import type { BlockId } from '../../runtime/types.ts';
import { compare, Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});

const sink = { event: () => undefined, fail: () => undefined };
const blockLength = 16;

describe.each([
  ['f32', 'buffer'],
  ['f16', 'buffer'],
  ['f16', 'texture'],
] as const)('attention over %s, in a %s', (kv, place) => {
  it.each([
    { heads: 4, kvHeads: 2, headLength: 32, positions: 1 },
    { heads: 4, kvHeads: 2, headLength: 32, positions: 7 },
    { heads: 9, kvHeads: 3, headLength: 64, positions: 33 },
    { heads: 2, kvHeads: 2, headLength: 16, positions: 19 },
    { heads: 8, kvHeads: 1, headLength: 128, positions: 300 },
    { heads: 14, kvHeads: 2, headLength: 64, positions: 40 },
    { heads: 6, kvHeads: 3, headLength: 96, positions: 1100 },
  ])('$heads heads, $kvHeads KV heads of $headLength, $positions positions', async ({ heads, kvHeads, headLength, positions }) => {
    const limits = { maxTokens: 4, maxSequences: 2, maxLogitRows: 2, contextLength: 2048, blockCount: 200, blockLength, maxEdits: 0 };
    const batch = new Batch(limits);
    const sequence = new Sequence({ promptIds: new Uint32Array(positions), maxTokens: 1 }, 2048, sink);
    // Blocks in an order that no address arithmetic could guess.
    const next = random(positions);
    const order = Array.from({ length: limits.blockCount }, (_, i) => i).sort(() => next() - 0.5);
    sequence.blocks = order.slice(0, Math.ceil(positions / blockLength)) as BlockId[];
    sequence.computed = positions - 1;
    batch.addTokens(sequence, 1);

    const shape: AttentionShape = {
      heads,
      kvHeads,
      headLength,
      rotaryLength: headLength,
      kv,
      blockLength,
      poolFold: 3,
      lanes: gpu.lanes,
      layout: batch.layout,
    };
    const round = (values: Float32Array): Float32Array => (kv === 'f16' ? values.map(Math.f16round) : values);
    const query = randomFloats(heads * headLength, 1, headLength ** -0.5);
    const keys = round(randomFloats(positions * kvHeads * headLength, 2));
    const values = round(randomFloats(positions * kvHeads * headLength, 3));
    const pool = gpu.pool(paged(keys, values, sequence.blocks, kvHeads * headLength, limits.blockCount, kv), slotVectors(shape), shape.poolFold, place);
    const scratch = {
      partials: gpu.buffer(new Float32Array(batch.maxItems * heads * headLength)),
      states: gpu.buffer(new Float32Array(batch.maxItems * heads * 2)),
    };
    const y = gpu.vectors(new Float32Array(heads * headLength), heads * headLength, place);
    const words = gpu.buffer(batch.seal());
    await gpu.run([attention(shape, gpu.vectors(query, query.length, place), pool, scratch, y, words), attentionMerge(shape, scratch, y, words)], batch.counts);

    const { error, message } = compare(await gpu.readVectors(y), attentionReference(shape, query, keys, values, positions));
    expect(error, message).toBeLessThan(attentionBound);
  });
});

/** [position][width] keys and values spread over the pool's blocks. */
function paged(
  keys: Float32Array,
  values: Float32Array,
  blocks: readonly BlockId[],
  width: number,
  blockCount: number,
  kv: 'f16' | 'f32',
): Float16Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  const pool = new (kv === 'f16' ? Float16Array : Float32Array)(blockCount * blockLength * width * 2).fill(1000);
  for (let position = 0; position * width < values.length; position++) {
    const slot = (blocks[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
    pool.set(keys.subarray(position * width, (position + 1) * width), slot * 2 * width);
    pool.set(values.subarray(position * width, (position + 1) * width), (slot * 2 + 1) * width);
  }
  return pool;
}
