/** Owns the set-up of attention over a paged KV cache of random numbers. */
import { attentionReference } from '../../../kernels/attention.ref.ts';
import { type AttentionShape, attentionMerge, poolExtent, valueLength } from '../../../kernels/attention.ts';
import { randomFloats } from '../../../kernels/random.ref.ts';
import { chooseAttention } from '../../../models/graph.ts';
import { Batch, leastItems } from '../../../runtime/scheduling/batch.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { BlockId } from '../../../runtime/types.ts';
import type { Sizes } from '../cases.ts';
import { distance, type Prepared, type Workbench } from '../workbench.ts';

const blockLength = 16;
const sink = { event: () => undefined, fail: () => undefined };

/** The last `tokens` of a sequence of as many positions. */
export function createBatch({ positions, tokens }: Pick<Sizes['attention'], 'positions' | 'tokens'>, blockCount: number, leastItem: number): Batch {
  const batch = new Batch({
    leastItem,
    maxTokens: tokens,
    maxSequences: 1,
    maxLogitRows: 1,
    contextLength: positions + 1,
    blockCount,
    blockLength,
    maxEdits: 0,
  });
  const sequence = new Sequence({ promptIds: new Uint32Array(positions), maxTokens: 1 }, positions + 1, sink);
  sequence.blocks = Array.from({ length: blockCount }, (_, i) => i as BlockId);
  sequence.computed = positions - tokens;
  batch.addTokens(sequence, tokens);
  return batch;
}

export async function setUpAttention(bench: Workbench, sizes: Sizes['attention']): Promise<Prepared> {
  const { heads, kvHeads, headLength, latentLength, topK, kv, positions, tokens } = sizes;
  const blockCount = Math.ceil(positions / blockLength);
  const slots = blockCount * blockLength;
  const batch = createBatch(sizes, blockCount, bench.open.family === 'narrow' ? leastItems.cpu : leastItems.gpu);
  const words = bench.buffer(batch.seal().slice());
  const extent = poolExtent({ kvHeads, headLength, latentLength, kv }, slots, bench.open);
  const { layout } = batch;
  const shape: AttentionShape = {
    heads,
    kvHeads,
    headLength,
    latentLength,
    topK,
    rotaryLength: headLength,
    kv,
    blockLength,
    poolFold: extent.fold,
    lanes: bench.open.subgroupSize,
    layout,
  };
  const width = kvHeads * headLength;
  const parts = latentLength === undefined ? 2 : 1;
  const valueWidth = heads * valueLength(shape);
  const random = randomFloats(slots * parts * width, 2);
  const stored = kv === 'f16' ? Float16Array.from(random) : random;
  const pool = bench.vectors(extent.width, extent.rows, padded(stored, extent.width * extent.rows * 16), 'rgba32uint');
  const query = randomFloats(tokens * heads * headLength, 3, headLength ** -0.5);
  const queries = bench.vectors((heads * headLength) / 4, tokens, query);
  const scratch = { partials: bench.empty(batch.maxItems * valueWidth * 4), states: bench.empty(batch.maxItems * heads * 2 * 4) };
  // Queries and results share the kind of place.
  const y = bench.vectors(valueWidth / 4, tokens);
  const rows = (offset: number, chosen: readonly number[]): Float32Array =>
    Float32Array.from(chosen.flatMap((slot) => [...stored.subarray((slot * parts + (offset % parts)) * width, (slot * parts + (offset % parts) + 1) * width)]));
  // Blocks lie in order, so slots are positions.
  const seen = Array.from({ length: tokens }, (_, token) => spread(positions - tokens + 1 + token, topK));
  const chosen = topK === undefined ? undefined : bench.buffer(Uint32Array.from(seen.flatMap((own) => Array.from({ length: topK }, (_, i) => own[i] ?? 0))));
  const attend = chooseAttention(bench.facts);
  return {
    operations: [attend(shape, queries, pool, scratch, y, words, undefined, chosen), attentionMerge(shape, scratch, y, words)],
    counts: { ...batch.counts },
    check: async () => {
      const first = seen[0] ?? [];
      return distance(
        await bench.read(y, valueWidth),
        attentionReference(shape, query.subarray(0, heads * headLength), rows(0, first), rows(1, first), first.length),
      );
    },
  };
}

/** Of `length` numbers `count` at most, at even steps. */
export function spread(length: number, count: number = length): number[] {
  const chosen = Math.min(length, count);
  return Array.from({ length: chosen }, (_, i) => Math.floor((i * length) / chosen));
}

/** As words, with zeros up to `size` bytes: the last row of a folded pool is not full. */
export function padded(stored: ArrayBufferView, size: number): Uint32Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  bytes.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  return new Uint32Array(bytes.buffer);
}
