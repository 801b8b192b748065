/**
 * The kernels of a lightning indexer: keys of tokens, scores of what each token sees, and the slots of the largest, exactly; over entries of one
 * token and of several, by both families, in slices of tokens, with ties and at the edge where everything is chosen.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AttentionShape, indexStart, vectorQuads } from '../../kernels/attention.ts';
import { headsBound } from '../../kernels/heads.ref.ts';
import { chosenReference, indexKeyReference, indexScoreReference } from '../../kernels/indexer.ref.ts';
import {
  chooseEntries,
  chooseKeys,
  type EntryPlaces,
  type IndexRowShape,
  type IndexShape,
  indexRows,
  indexScores,
  type ScoreRows,
  scoresSize,
  tokenEntries,
} from '../../kernels/indexer.ts';
import type { Place, Vectors } from '../../kernels/kernel.ts';
import { random, randomFloats } from '../../kernels/random.ref.ts';
import type { KernelFamily } from '../../kernels/tiles.ts';
import { matmulF32Bound } from '../../kernels/weights.ref.ts';
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

const blockLength = 16;
const limits = { maxTokens: 48, maxSequences: 3, maxLogitRows: 1, contextLength: 128, blockCount: 24, blockLength, maxEdits: 0, leastItem: 64 };
const base = 100;
/** What nothing has written yet. */
const untouched = 0x64646464;

type Span = readonly [first: number, end: number];

/** Tokens of several sequences, whose blocks lie anywhere; and the blocks of each. */
function batchOf(spans: readonly Span[]): { readonly batch: Batch; readonly blocks: readonly BlockId[][] } {
  const batch = new Batch(limits);
  const next = random(spans.length);
  const free = Array.from({ length: limits.blockCount }, (_, i) => i as BlockId).sort(() => next() - 0.5);
  const blocks = spans.map(([first, end]) => {
    const sequence = new Sequence({ promptIds: new Uint32Array(end), maxTokens: 1 }, limits.contextLength, { event: () => undefined, fail: () => undefined });
    sequence.blocks = free.splice(0, Math.ceil(end / blockLength));
    sequence.computed = first;
    batch.addTokens(sequence, end - first);
    return sequence.blocks;
  });
  return { batch, blocks };
}

/** Tokens in the order of the batch. */
const tokensOf = (spans: readonly Span[]): { readonly sequence: number; readonly position: number }[] =>
  spans.flatMap(([first, end], sequence) => Array.from({ length: end - first }, (_, i) => ({ sequence, position: first + i })));

interface Form {
  readonly indexLength: number;
  readonly indexHeads: number;
  readonly rotaryLength: number;
  readonly kv: AttentionShape['kv'];
  readonly topK?: number;
  readonly entryTokens?: number;
}

/** Of several tokens: their entry has 40 channels more, and its vectors lie in all of their slots. */
function entriesOf(pool: IndexRowShape, tokens: number): EntryPlaces {
  if (tokens === 1) return tokenEntries(pool);
  const [keyStart, keyVectors] = [40, pool.indexLength].map((channels) => Math.ceil(channels / 4 / vectorQuads(pool.kv))) as [number, number];
  return { tokens, slots: tokens, slotVectors: Math.ceil((keyStart + keyVectors) / tokens), keyStart };
}

function shapeOf(batch: Batch, { entryTokens = 1, topK = 1, ...form }: Form): IndexShape & IndexRowShape {
  const pool = { heads: 2, kvHeads: 1, headLength: 40, latentLength: 32, poolFold: 3, blockLength, lanes: gpu.lanes, layout: batch.layout };
  return { ...pool, ...form, topK, entries: entriesOf({ ...pool, ...form }, entryTokens) };
}

/** Words of a pool in which nothing is yet. */
const emptyPool = ({ entries }: IndexShape): Uint32Array<ArrayBuffer> =>
  new Uint32Array(limits.blockCount * blockLength * entries.slotVectors * 4).fill(untouched);

const poolOf = ({ entries, poolFold }: IndexShape, place: Place, words: Uint32Array<ArrayBuffer>): Vectors =>
  gpu.pool(new Float32Array(words.buffer), entries.slotVectors, poolFold, place);

/** The first slot of an entry, in these blocks. */
function slotOf(blocks: readonly BlockId[], { tokens, slots }: EntryPlaces, entry: number): number {
  const position = (entry + 1) * tokens - slots;
  return (blocks[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
}

const keyCases = [
  ['interleaved', 0, { indexLength: 128, indexHeads: 4, rotaryLength: 64, kv: 'f16' }, 'texture'],
  ['interleaved', 24, { indexLength: 40, indexHeads: 8, rotaryLength: 16, kv: 'f32' }, 'buffer'],
  ['halfSplit', 0, { indexLength: 32, indexHeads: 4, rotaryLength: 24, kv: 'f32' }, 'texture'],
  ['halfSplit', 8, { indexLength: 24, indexHeads: 4, rotaryLength: 8, kv: 'f16' }, 'buffer'],
] as const;

describe('keys of tokens', () => {
  it.each(keyCases)('%s pairs from %i on, %o in a %s', async (pairs, rotaryStart, form, place) => {
    const spans: readonly Span[] = [
      [13, 18],
      [0, 1],
    ];
    const { batch, blocks } = batchOf(spans);
    const shape = shapeOf(batch, form);
    const { indexLength, indexHeads, rotaryLength, kv } = form;
    const rowLength = indexLength + indexHeads;
    const rows = randomFloats(batch.counts.tokens * rowLength, 3, 3);
    const [weights, biases] = [randomFloats(indexLength, 7), randomFloats(indexLength, 8)];
    const pool = poolOf(shape, place, emptyPool(shape));
    await gpu.run(
      [
        indexRows(
          shape,
          { pairs, rotaryStart, rowLength },
          {
            rows: gpu.vectors(rows, rowLength, place),
            pool,
            norm: { weight: gpu.uniform(weights), bias: gpu.uniform(biases), epsilon: 1e-6 },
            rotation: gpu.buffer(Float32Array.from(rotationTable(ropeFrequencies(rotaryLength, base), limits.contextLength))),
            batch: gpu.buffer(batch.seal()),
          },
        ),
      ],
      batch.counts,
    );
    const bytes = await gpu.readBytes(pool);
    const slotSize = shape.entries.slotVectors * 16;
    const written = new Set<number>();
    for (const [token, { sequence, position }] of tokensOf(spans).entries()) {
      const slot = (blocks[sequence]?.[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
      const at = slot * slotSize + indexStart(shape) * 16;
      for (let byte = at; byte < slot * slotSize + slotSize; byte++) written.add(byte);
      const got = kv === 'f32' ? new Float32Array(bytes, at, indexLength) : new Float16Array(bytes, at, indexLength);
      const angles = Array.from({ length: rotaryLength / 2 }, (_, i) => position * base ** ((-2 * i) / rotaryLength));
      const row = rows.subarray(token * rowLength, token * rowLength + indexLength);
      const { error, message } = compare(got, indexKeyReference(row, { weights, biases, epsilon: 1e-6 }, { pairs, rotaryStart, angles }));
      expect(error, `token ${token}: ${message}`).toBeLessThan(kv === 'f16' ? 2 ** -21 : headsBound);
    }
    const all = new Uint8Array(bytes);
    expect(all.findIndex((byte, i) => byte !== 0x64 && !written.has(i))).toBe(-1);
  });
});

const spans: readonly Span[] = [
  [0, 20],
  [61, 66],
  [127, 128],
];

const scoreCases = [
  [{ indexLength: 64, indexHeads: 8, rotaryLength: 64, kv: 'f16' }, 'texture', 'narrow'],
  [{ indexLength: 24, indexHeads: 12, rotaryLength: 8, kv: 'f32' }, 'buffer', 'wide'],
  [{ indexLength: 32, indexHeads: 4, rotaryLength: 8, kv: 'f32', entryTokens: 4 }, 'texture', 'narrow'],
  [{ indexLength: 24, indexHeads: 4, rotaryLength: 8, kv: 'f16', entryTokens: 4 }, 'buffer', 'wide'],
] as const;

/** Rows of scores, in two slices; what nothing writes stays as it is. */
function slices(tokens: number, stride: number): ScoreRows[] {
  const rows = Math.ceil(tokens / 2);
  return [0, rows].map((firstToken) => ({ scores: gpu.buffer(new Uint32Array(rows * stride).fill(untouched)), stride, firstToken, rows }));
}

/** Keys in a pool, queries and weights; and of each token the scores of all entries that it sees. */
function prepareScores(form: Form, place: Place) {
  const { batch, blocks } = batchOf(spans);
  const shape = shapeOf(batch, form);
  const { indexLength, indexHeads, kv } = form;
  const { tokens: entryTokens, slotVectors, keyStart } = shape.entries;
  const tokens = batch.counts.tokens;
  const words = emptyPool(shape);
  const keys = blocks.map((own, sequence) =>
    Array.from({ length: (own.length * blockLength) / entryTokens }, (_, entry) => {
      const key = randomFloats(indexLength, 100 * sequence + entry);
      words.set(new Uint32Array(kv === 'f16' ? Float16Array.from(key).buffer : key.buffer), (slotOf(own, shape.entries, entry) * slotVectors + keyStart) * 4);
      return kv === 'f16' ? key.map(Math.f16round) : key;
    }),
  );
  const queries = randomFloats(tokens * indexHeads * indexLength, 1);
  const [width, start] = [indexHeads + 8, 4];
  const weights = randomFloats(tokens * width, 2);
  const scores = tokensOf(spans).map(({ sequence, position }, token) => {
    const own = Array.from({ length: indexHeads }, (_, head) =>
      queries.subarray((token * indexHeads + head) * indexLength, (token * indexHeads + head + 1) * indexLength),
    );
    const ownWeights = weights.subarray(token * width + start, token * width + start + indexHeads);
    const visible = Math.floor((position + 1) / entryTokens);
    return (keys[sequence] ?? []).slice(0, visible).map((key) => indexScoreReference(own, ownWeights, key));
  });
  const buffers = {
    queries: gpu.vectors(queries, indexHeads * indexLength, place),
    weights: { rows: gpu.vectors(weights, width, place), start, width },
    pool: poolOf(shape, place, words),
    batch: gpu.buffer(batch.seal()),
  };
  return { batch, blocks, shape, buffers, scores };
}

describe('scores', () => {
  it.each(scoreCases)('%o in a %s, %s', async (form, place, family) => {
    const { batch, shape, buffers, scores } = prepareScores(form, place);
    const parts = slices(scores.length, 130);
    await gpu.run(
      parts.map((part) => indexScores(shape, buffers, part, { lanes: gpu.lanes, family })),
      batch.counts,
    );
    const got = await Promise.all(parts.map((part) => gpu.read(part.scores)));
    for (const [token, expected] of scores.entries()) {
      const slice = token < (parts[1]?.firstToken ?? 0) ? 0 : 1;
      const row = (token - (parts[slice]?.firstToken ?? 0)) * 130;
      const bytes = got[slice] ?? new ArrayBuffer(0);
      if (expected.length > 0) {
        const { error, message } = compare(new Float32Array(bytes, row * 4, expected.length), expected);
        expect(error, `token ${token}: ${message}`).toBeLessThan(matmulF32Bound);
      }
      expect(new Uint32Array(bytes, (row + expected.length) * 4, 130 - expected.length).every((word) => word === untouched)).toBe(true);
    }
  });
});

/** First slots of a token's `topK` entries, and what is behind them. */
function expectedSlots(scores: ArrayLike<number>, blocks: readonly BlockId[] = [], { topK, entries }: IndexShape): number[] {
  const slots = chosenReference(scores, topK).map((entry) => slotOf(blocks, entries, entry));
  return [...slots, ...Array.from({ length: topK - slots.length }, () => untouched)];
}

/** 26 tokens in parts of one, and where the last part has one, where it is whole, and where all are one part. */
describe('choices with room for the scores of so many tokens', () => {
  it.each(scoreCases)('%o in a %s, %s', async (form, place, family) => {
    const { batch, blocks, shape, buffers, scores } = prepareScores({ ...form, topK: 9 }, place);
    const expected = tokensOf(spans).flatMap(({ sequence }, token) => expectedSlots(scores[token] ?? [], blocks[sequence], shape));
    const most = limits.contextLength / shape.entries.tokens;
    // A CPU device takes seconds for the many workgroups of the wide family.
    for (const rows of family === 'narrow' ? [1, 5, 13, 25, 26, 27] : [13, 25]) {
      const chosen = gpu.buffer(new Uint32Array(scores.length * shape.topK).fill(untouched));
      const scratch = gpu.buffer(new Uint32Array(rows * most).fill(untouched));
      await gpu.run(chooseEntries(shape, limits.maxTokens, most, { ...buffers, chosen, scores: scratch }, { lanes: gpu.lanes, family }), batch.counts);
      expect(Array.from(await gpu.readWords(chosen)), `${rows} tokens`).toEqual(expected);
    }
  });

  it.each([
    ['DeepSeek-V4 over 1M tokens', 262_144, 512, 64],
    ['GLM-5.2 over 200k', 202_752, 512, 82],
    ['a short context', 4096, 512, 512],
    ['entries of one token that are more than the room', 2 ** 25, 512, 1],
  ])('%s: %i entries, %i tokens at most', (_, most, tokens, rows) => {
    expect(scoresSize(tokens, most)).toBe(rows * most * 4);
  });
});

/** Of 128 entries: all different, all equal, few values, both zeros and the numbers next to them (a device may take subnormal ones for zeros), in order. */
const rowsOfScores: Readonly<Record<string, (entry: number) => number>> = {
  different: (entry) => Math.sin(entry * 12.9898) * 10 ** (entry % 7),
  equal: () => -2.5,
  'of few values': (entry) => [-1, 0, 3, 0.5][(entry * 7) % 4] ?? 0,
  'zeros and near them': (entry) => [0, -0, 2 ** -126, -(2 ** -126), 2 ** -125][(entry * 3) % 5] ?? 0,
  ascending: (entry) => entry,
  descending: (entry) => -entry,
};

describe('the largest scores', () => {
  const forms = [...[5, 61, 127, 200].map((topK) => [topK, 'narrow'] as const), ...[62].map((topK) => [topK, 'wide'] as const)];
  it.each(forms)('%i of them, %s', async (topK: number, family: KernelFamily) => {
    for (const entryTokens of [1, 4]) {
      const { batch, blocks } = batchOf(spans);
      const shape = shapeOf(batch, { indexLength: 8, indexHeads: 4, rotaryLength: 8, kv: 'f32', topK, entryTokens });
      const words = gpu.buffer(batch.seal());
      for (const [name, scoreOf] of Object.entries(rowsOfScores)) {
        const rows = Float32Array.from({ length: batch.counts.tokens * 128 }, (_, i) => scoreOf(i % 128));
        const tokens = batch.counts.tokens;
        const half = Math.ceil(tokens / 2);
        const parts = [0, half].map((firstToken) => ({ scores: gpu.buffer(rows.slice(firstToken * 128)), stride: 128, firstToken, rows: half }));
        const chosen = gpu.buffer(new Uint32Array(tokens * topK).fill(untouched));
        const facts = { lanes: gpu.lanes, family };
        await gpu.run(
          parts.map((part) => chooseKeys(shape, part, chosen, words, facts)),
          batch.counts,
        );
        const got = await gpu.readWords(chosen);
        const expected = tokensOf(spans).flatMap(({ sequence, position }) => {
          const visible = Math.floor((position + 1) / entryTokens);
          const seen = Float32Array.from({ length: visible }, (_, entry) => scoreOf(entry));
          return expectedSlots(seen, blocks[sequence], shape);
        });
        expect(Array.from(got), `scores ${name}, entries of ${entryTokens}`).toEqual(expected);
      }
    }
  });
});
