/**
 * Attention for GPUs, on CPU devices: right at the edges of its tiles of rows, keys and items, for batches of several
 * sequences, and the same bits whether a token is computed alone or in a tile.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attentionBound, attentionReference } from '../../kernels/attention.ref.ts';
import { type AttentionShape, attentionMerge, slotVectors } from '../../kernels/attention.ts';
import { attentionWide } from '../../kernels/attention_wide.ts';
import { random, randomFloats } from '../../kernels/random.ref.ts';
import { Batch } from '../../runtime/batch.ts';
import { Sequence } from '../../runtime/sequence.ts';
import type { BlockId } from '../../runtime/types.ts';
import { compare, Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const sink = { event: () => undefined, fail: () => undefined };
const blockLength = 16;
const isFull = process.env['INWARD_FULL'] === '1';

/** Tokens of one sequence in the batch: so many before, so many in it. */
interface Part {
  readonly before: number;
  readonly count: number;
}
interface Case {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headLength: number;
  readonly parts: readonly Part[];
}

const cases: readonly Case[] = [
  { heads: 4, kvHeads: 2, headLength: 32, parts: [{ before: 0, count: 1 }] },
  { heads: 9, kvHeads: 3, headLength: 64, parts: [{ before: 0, count: 33 }] },
  {
    heads: 4,
    kvHeads: 4,
    headLength: 24,
    parts: [
      { before: 14, count: 5 },
      { before: 31, count: 1 },
      { before: 0, count: 17 },
      { before: 254, count: 3 },
    ],
  },
  { heads: 8, kvHeads: 1, headLength: 128, parts: [{ before: 250, count: 12 }] },
  { heads: 14, kvHeads: 2, headLength: 80, parts: [{ before: 40, count: 9 }] },
  { heads: 2, kvHeads: 1, headLength: 256, parts: [{ before: 3, count: 6 }] },
  { heads: 2, kvHeads: 1, headLength: 512, parts: [{ before: 511, count: 2 }] },
];

/** GPUs read pools from buffers. */
const place = 'buffer';

describe.each(['f32', 'f16'] as const)('over %s', (kv) => {
  it.each(cases.filter((_, i) => isFull || i === 2 || i === (kv === 'f16' ? 1 : 6)))(
    '$heads heads, $kvHeads KV heads of $headLength: $parts',
    async ({ heads, kvHeads, headLength, parts }) => {
      const tokens = parts.reduce((sum, { count }) => sum + count, 0);
      const limits = { maxTokens: 64, maxSequences: 4, maxLogitRows: 4, contextLength: 1024, blockCount: 80, blockLength, maxEdits: 0 };
      const batch = new Batch(limits);
      // Blocks in an order that no address arithmetic could guess.
      const next = random(tokens);
      const order = Array.from({ length: limits.blockCount }, (_, i) => i).sort(() => next() - 0.5) as BlockId[];
      const width = kvHeads * headLength;
      const round = (values: Float32Array): Float32Array => (kv === 'f16' ? values.map(Math.f16round) : values);
      const pool = new (kv === 'f16' ? Float16Array : Float32Array)(limits.blockCount * blockLength * width * 2).fill(1000);
      const stored = parts.map(({ before, count }, i) => {
        const length = before + count;
        const sequence = new Sequence({ promptIds: new Uint32Array(length), maxTokens: 1 }, 1024, sink);
        sequence.blocks = order.splice(0, Math.ceil(length / blockLength));
        sequence.computed = before;
        batch.addTokens(sequence, count);
        const keys = round(randomFloats(length * width, 2 + i));
        const values = round(randomFloats(length * width, 30 + i));
        for (let position = 0; position < length; position++) {
          const slot = (sequence.blocks[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
          pool.set(keys.subarray(position * width, (position + 1) * width), slot * 2 * width);
          pool.set(values.subarray(position * width, (position + 1) * width), (slot * 2 + 1) * width);
        }
        return { keys, values };
      });
      const shape: AttentionShape = {
        heads,
        kvHeads,
        headLength,
        rotaryLength: headLength,
        kv,
        blockLength,
        poolFold: 1,
        lanes: gpu.lanes,
        layout: batch.layout,
      };
      const query = randomFloats(tokens * heads * headLength, 1, headLength ** -0.5);
      const vectors = gpu.vectors(query, heads * headLength, place);
      const poolVectors = gpu.pool(pool, slotVectors(shape), shape.poolFold, place);
      const words = gpu.buffer(batch.seal());
      const results: Float32Array[] = [];
      for (const variant of [0, 1, 1]) {
        const scratch = {
          partials: gpu.buffer(new Float32Array(batch.maxItems * heads * headLength)),
          states: gpu.buffer(new Float32Array(batch.maxItems * heads * 2)),
        };
        const y = gpu.vectors(new Float32Array(tokens * heads * headLength), heads * headLength, place);
        const operation = attentionWide(shape, vectors, poolVectors, scratch, y, words);
        if (operation.variants.length <= variant) continue;
        await gpu.run([operation], batch.counts, variant);
        await gpu.run([attentionMerge(shape, scratch, y, words)], batch.counts);
        await Promise.all([gpu.read(scratch.partials), gpu.read(scratch.states)]); // nothing behind them was written
        results.push(await gpu.readVectors(y));
      }
      const [first = new Float32Array()] = results;
      let token = 0;
      parts.forEach(({ before, count }, i) => {
        for (let k = 0; k < count; k++, token++) {
          const span = [token * heads * headLength, (token + 1) * heads * headLength] as const;
          const { keys = new Float32Array(), values = new Float32Array() } = stored[i] ?? {};
          const { error, message } = compare(
            first.subarray(...span),
            attentionReference({ heads, kvHeads, headLength }, query.subarray(...span), keys, values, before + k + 1),
          );
          expect(error, `token ${token}: ${message}`).toBeLessThan(attentionBound);
        }
      });
      for (const [variant, other] of results.entries())
        expect(
          first.findIndex((value, i) => !Object.is(value, other[i])),
          `run ${variant}`,
        ).toBe(-1);
    },
  );
});
