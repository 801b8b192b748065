/** Owns the set-ups of lightning indexers and of attention over compressed entries: keys and entries in a pool of random numbers, blocks in order. */
import { type PoolShape, poolExtent } from '../../../kernels/attention.ts';
import { sharedAttentionReference } from '../../../kernels/compressed.ref.ts';
import { attentionCompressed, type CompressedShape, entryIndex, entryPoolShape } from '../../../kernels/compressed.ts';
import { chosenReference, indexScoreReference } from '../../../kernels/indexer.ref.ts';
import { chooseKeys, type EntryPlaces, type IndexShape, indexScores, tokenEntries } from '../../../kernels/indexer.ts';
import type { Vectors } from '../../../kernels/kernel.ts';
import { randomFloats } from '../../../kernels/random.ref.ts';
import { type Batch, leastItems } from '../../../runtime/scheduling/batch.ts';
import type { CompressedSizes, IndexSizes, Sizes } from '../cases.ts';
import { distance, type Prepared, type Workbench } from '../workbench.ts';
import { createBatch, padded, spread } from './attention.ts';

const blockLength = 16;
/** What is beside index keys: latents of GLM-5, entries of DeepSeek-V4. */
const latents = { kvHeads: 1, headLength: 576, latentLength: 512, kv: 'f16' } as const;
const plain = { window: 128, headLength: 512, heads: 1, rotaryLength: 64, indexHeads: 4, topK: 512, kv: 'f16', blockLength } as const;

const keysIn = (bench: Workbench, sizes: Pick<Sizes['attention'], 'positions' | 'tokens'>): { batch: Batch; slots: number } => {
  const blockCount = Math.ceil(sizes.positions / blockLength);
  return { batch: createBatch(sizes, blockCount, bench.open.family === 'narrow' ? leastItems.cpu : leastItems.gpu), slots: blockCount * blockLength };
};

interface RandomPool {
  readonly vectors: Vectors;
  readonly fold: number;
  readonly stored: Float16Array;
}

function createPool(bench: Workbench, shape: PoolShape, slots: number): RandomPool {
  const { width, rows, fold } = poolExtent(shape, slots, bench.open);
  const stored = Float16Array.from(randomFloats(slots * (width / fold) * 8, 2));
  return { vectors: bench.vectors(width, rows, padded(stored, width * rows * 16), 'rgba32uint'), fold, stored };
}

interface IndexCase {
  readonly batch: Batch;
  readonly shape: IndexShape;
  readonly pool: RandomPool;
}

function createIndex(bench: Workbench, { entryTokens, entries, tokens }: IndexSizes, heads: number, length: number, topK: number): IndexCase {
  const { batch, slots } = keysIn(bench, { positions: entries * entryTokens, tokens });
  const own = { ...plain, ratio: 4, indexLength: length, indexHeads: heads, topK, lanes: bench.open.subgroupSize, layout: batch.layout } as const;
  const poolShape: PoolShape = entryTokens === 1 ? { ...latents, indexLength: length } : entryPoolShape(own, 'f16');
  const pool = createPool(bench, poolShape, slots);
  const shape = entryIndex({ ...own, poolFold: pool.fold });
  return { batch, shape: entryTokens === 1 ? { ...shape, entries: tokenEntries(poolShape) } : shape, pool };
}

/** First slot of an entry. */
const slotOf = ({ tokens, slots }: EntryPlaces, entry: number): number => (entry + 1) * tokens - slots;

export function setUpIndexScores(bench: Workbench, sizes: Sizes['index scores']): Prepared {
  const { heads, length, entries, entryTokens, tokens } = sizes;
  const { batch, shape, pool } = createIndex(bench, sizes, heads, length, 1);
  const queries = randomFloats(tokens * heads * length, 3);
  const weights = randomFloats(tokens * heads, 4);
  const scores = bench.empty(tokens * entries * 4);
  const buffers = {
    queries: bench.vectors((heads * length) / 4, tokens, queries),
    weights: { rows: bench.vectors(heads / 4, tokens, weights), start: 0, width: heads },
    pool: pool.vectors,
    batch: bench.buffer(batch.seal().slice()),
  };
  return {
    operations: [indexScores(shape, buffers, { scores, stride: entries, firstToken: 0, rows: tokens }, bench.facts)],
    counts: { ...batch.counts },
    check: async () => {
      const sample = spread(Math.floor((entries * entryTokens - tokens + 1) / entryTokens), 64);
      const got = await bench.read(scores, entries);
      const own = Array.from({ length: heads }, (_, head) => queries.subarray(head * length, (head + 1) * length));
      const key = (entry: number): Float16Array => {
        const start = (slotOf(shape.entries, entry) * shape.entries.slotVectors + shape.entries.keyStart) * 8;
        return pool.stored.subarray(start, start + length);
      };
      return distance(
        sample.map((entry) => got[entry] ?? Number.NaN),
        Float64Array.from(sample, (entry) => indexScoreReference(own, weights, key(entry))),
      );
    },
  };
}

/** Error is 0 where the first token has the right entries, else 1. */
export function setUpIndexChoice(bench: Workbench, sizes: Sizes['index choice']): Prepared {
  const { topK, entries, entryTokens, tokens } = sizes;
  const positions = entries * entryTokens;
  const { batch } = keysIn(bench, { positions, tokens });
  const index = { ...plain, ratio: 4, indexLength: 128, topK, poolFold: 1, lanes: bench.open.subgroupSize, layout: batch.layout } as const;
  const shape = entryIndex(index);
  const own = entryTokens === 1 ? { ...shape, entries: tokenEntries(latents) } : shape;
  const random = randomFloats(tokens * entries, 3);
  const chosen = bench.empty(tokens * topK * 4);
  const rows = { scores: bench.buffer(random), stride: entries, firstToken: 0, rows: tokens };
  return {
    operations: [chooseKeys(own, rows, chosen, bench.buffer(batch.seal().slice()), bench.facts)],
    counts: { ...batch.counts },
    check: async () => {
      const visible = Math.floor((positions - tokens + 1) / entryTokens);
      const expected = chosenReference(random.subarray(0, visible), topK).map((entry) => slotOf(own.entries, entry));
      const got = await bench.readWords(chosen, topK);
      return expected.every((slot, i) => got[i] === slot) ? 0 : 1;
    },
  };
}

export function setUpCompressed(bench: Workbench, sizes: CompressedSizes): Prepared {
  const { heads, headLength, window, ratio, positions, topK, tokens } = sizes;
  const { batch, slots } = keysIn(bench, { positions, tokens });
  const indexLength = ratio === 4 ? 128 : 0;
  const common = { ...plain, heads, headLength, window, ratio, indexLength, topK, lanes: bench.open.subgroupSize, layout: batch.layout };
  const pool = createPool(bench, entryPoolShape(common, 'f16'), slots);
  const shape: CompressedShape = { ...common, poolFold: pool.fold };
  const places = entryIndex(shape).entries;
  const seen = Array.from({ length: tokens }, (_, token) => spread(Math.floor((positions - tokens + 1 + token) / ratio), topK));
  const slotsOf = (entries: readonly number[]): number[] => Array.from({ length: topK }, (_, i) => slotOf(places, entries[i] ?? 0));
  const queries = randomFloats(tokens * heads * headLength, 3);
  const rows = randomFloats((tokens + window) * headLength, 4);
  const sinks = randomFloats(heads, 5);
  const y = bench.vectors((heads * headLength) / 4, tokens);
  const buffers = {
    queries: bench.vectors((heads * headLength) / 4, tokens, queries),
    y,
    rows: bench.buffer(rows),
    pool: pool.vectors,
    chosen: bench.buffer(Uint32Array.from(seen.flatMap(slotsOf))),
    sinks: bench.buffer(sinks),
    batch: bench.buffer(batch.seal().slice()),
  };
  return {
    operations: [attentionCompressed(shape, buffers)],
    counts: { ...batch.counts },
    check: async () => {
      const own = Array.from({ length: window }, (_, i) => rows.subarray((i + 1) * headLength, (i + 2) * headLength));
      const entries = (seen[0] ?? []).map((entry) => {
        const start = slotOf(places, entry) * places.slotVectors * 8;
        return pool.stored.subarray(start, start + headLength);
      });
      return distance(await bench.read(y, headLength), sharedAttentionReference(queries.subarray(0, headLength), [...own, ...entries], sinks[0] ?? 0));
    },
  };
}
