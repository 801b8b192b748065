/** What happens to whole KV blocks: clear_blocks zeroes, gather_blocks and scatter_blocks copy. In every format, with slots side by side in a texture. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBlocksReference } from '../../kernels/attention.ref.ts';
import { type AttentionShape, clearBlocks, copyBlocks, copySize, slotVectors } from '../../kernels/attention.ts';
import type { Place, Vectors } from '../../kernels/kernel.ts';
import { random } from '../../kernels/random.ref.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import type { BlockId } from '../../runtime/types.ts';
import { Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const blockLength = 16;
const blockCount = 7;
const limits = { maxTokens: 1, maxSequences: 4, maxLogitRows: 1, contextLength: 64, blockCount, blockLength, maxEdits: 0 };

interface Kind {
  readonly kv: AttentionShape['kv'];
  readonly place: Place;
  /** Slots side by side in a texture's row; 5 does not divide a block. */
  readonly poolFold: number;
  readonly headLength: number;
}

const kinds: readonly Kind[] = (['f16', 'f32', 'q8'] as const).flatMap((kv): Kind[] => [
  { kv, place: 'buffer', poolFold: 1, headLength: 16 },
  { kv, place: 'texture', poolFold: 5, headLength: 24 },
  // More vectors than lanes.
  { kv, place: 'texture', poolFold: 1, headLength: 256 },
]);

function setUp({ kv, place, poolFold, headLength }: Kind): { shape: AttentionShape; batch: Batch; words: Uint32Array<ArrayBuffer>; pool: Vectors } {
  const batch = new Batch(limits);
  const shape = { heads: 4, kvHeads: 2, headLength, rotaryLength: headLength, kv, blockLength, poolFold, lanes: gpu.lanes, layout: batch.layout };
  const next = random(kv.length + headLength);
  // The pool's own end: where a row of the texture has room for more slots than there are.
  const words = Uint32Array.from({ length: blockCount * blockLength * slotVectors(shape) * 4 }, () => next() * 2 ** 32);
  return { shape, batch, words, pool: gpu.pool(new Float32Array(words.buffer), slotVectors(shape), poolFold, place) };
}

async function readPool(pool: Vectors, words: Uint32Array): Promise<Uint32Array> {
  return new Uint32Array(await gpu.readBytes(pool)).subarray(0, words.length);
}

describe.each(kinds)('$kv in a $place, $poolFold slots a row, $headLength channels', (kind) => {
  it('clear_blocks zeroes the blocks that are named and no other', async () => {
    const { shape, batch, words, pool } = setUp(kind);
    for (const block of [5, 0, 2]) batch.addClear(block);
    await gpu.run([clearBlocks(shape, pool, gpu.buffer(batch.seal()))], batch.counts);
    const length = words.length / blockCount;
    for (const block of [5, 0, 2]) words.fill(0, block * length, (block + 1) * length);
    expect(await readPool(pool, words)).toEqual(words);
  });

  it('copies as many slots as are asked for, and leaves everything else', async () => {
    const { shape, batch, words, pool } = setUp(kind);
    // One source twice; a source that is another copy's destination is read before it is written.
    const copies = [
      { from: 3, to: 0, slots: 1 },
      { from: 3, to: 6, slots: 16 },
      { from: 6, to: 1, slots: 15 },
      { from: 5, to: 2, slots: 7 },
    ];
    for (const { from, to, slots } of copies) batch.addCopy(from as BlockId, to as BlockId, slots);
    const gathered = gpu.buffer(new Uint8Array(copySize(shape, limits.maxSequences)));
    await gpu.run(copyBlocks(shape, pool, gathered, gpu.buffer(batch.seal())), batch.counts);
    expect(await readPool(pool, words)).toEqual(copyBlocksReference(words, blockCount, blockLength, copies));
    await gpu.read(gathered); // nothing behind it was written
  });

  it('a step without copies dispatches none', async () => {
    const { shape, batch, words, pool } = setUp(kind);
    const gathered = gpu.buffer(new Uint8Array(copySize(shape, limits.maxSequences)));
    await gpu.run(copyBlocks(shape, pool, gathered, gpu.buffer(batch.seal())), batch.counts);
    expect(await readPool(pool, words)).toEqual(words);
  });
});
