/**
 * Attention over compressed keys: two sequences go through all of its kernels in steps that end before, at and behind windows, entries and blocks; every
 * entry of the pool, what is chosen and what comes of it are those of the references over the whole sequence.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { slotVectors } from '../../kernels/attention.ts';
import { compressedBound, entryBounds, entryReference, sharedAttentionReference } from '../../kernels/compressed.ref.ts';
import {
  attentionCompressed,
  type CompressedShape,
  compress,
  type EntryPart,
  entryIndex,
  entryPoolShape,
  keepRows,
  keptRowsLength,
  rawLength,
  recallRows,
} from '../../kernels/compressed.ts';
import { headReference, headsBound } from '../../kernels/heads.ref.ts';
import { chosenReference, indexScoreReference } from '../../kernels/indexer.ref.ts';
import { chooseEntries } from '../../kernels/indexer.ts';
import type { Operation, Place, Slice, Vectors } from '../../kernels/kernel.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import type { KernelFamily } from '../../kernels/tiles.ts';
import { turned } from '../../kernels/turned.ts';
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
const limits = { maxTokens: 160, maxSequences: 2, maxLogitRows: 1, contextLength: 288, blockCount: 40, blockLength, maxEdits: 0 };
const base = 1000;
const epsilon = 1e-6;
const patience = 240_000;

/** What a layer would compute of each token, for a sequence as a whole. */
interface Tokens {
  readonly rows: Float32Array<ArrayBuffer>;
  readonly raw: Float32Array<ArrayBuffer>;
  readonly queries: Float32Array<ArrayBuffer>;
  readonly indexQueries: Float32Array<ArrayBuffer>;
  readonly indexWeights: Float32Array<ArrayBuffer>;
}

interface Case extends Pick<CompressedShape, 'ratio' | 'window' | 'headLength' | 'indexLength' | 'rotaryLength' | 'heads' | 'indexHeads' | 'topK' | 'kv'> {
  readonly place: Place;
  readonly family?: KernelFamily;
  /** Tokens of both sequences in each step. */
  readonly steps: readonly (readonly [number, number])[];
}

/** Of all tokens' scores there is room for so many, so that a step has several parts. */
const scoredTokens = 7;

function createTokens(c: Case, length: number, seed: number): Tokens {
  const make = (width: number, i: number): Float32Array<ArrayBuffer> => randomFloats(length * width, seed + i, 1.5);
  return {
    rows: make(c.headLength, 1),
    raw: make(Math.max(4, rawLength(c)), 2),
    queries: make(c.heads * c.headLength, 3),
    indexQueries: make(c.indexHeads * c.indexLength + 4, 4),
    indexWeights: make(c.indexHeads, 5).map((weight) => weight * (c.indexHeads * c.indexLength) ** -0.5),
  };
}

const rowOf = (values: Float32Array, width: number, i: number): Float32Array => values.subarray(i * width, (i + 1) * width);

/** Of a head, or an entry's key, at a position. */
function turn(
  x: ArrayLike<number>,
  rotaryLength: number,
  position: number,
  options: { epsilon?: number; weights?: Float32Array; isBack?: boolean } = {},
): Float64Array {
  const { isBack = false, ...norm } = options;
  const angles = Array.from({ length: rotaryLength / 2 }, (_, i) => (isBack ? -1 : 1) * position * base ** ((-2 * i) / rotaryLength));
  return headReference(x, { ...norm, pairs: 'interleaved', rotaryStart: x.length - rotaryLength, angles, factor: 1 });
}

class Layer {
  readonly c: Case;
  readonly shape: CompressedShape;
  readonly batch = new Batch(limits);
  readonly norms: Readonly<Record<'row' | EntryPart, Float32Array<ArrayBuffer>>>;
  readonly biases: Readonly<Record<EntryPart, Float32Array<ArrayBuffer>>>;
  readonly sinks: Float32Array<ArrayBuffer>;
  readonly pool: Vectors | undefined;
  readonly state: Slice;
  readonly window: Slice;
  readonly rotation: Slice;
  readonly chosen: Slice;
  readonly scores: Slice;

  constructor(c: Case) {
    this.c = c;
    const poolFold = c.place === 'buffer' ? 1 : 3;
    this.shape = { ...c, blockLength, poolFold, lanes: gpu.lanes, layout: this.batch.layout };
    const halves = c.ratio === 4 ? 2 : 1;
    this.norms = { row: randomFloats(c.headLength, 11), entry: randomFloats(c.headLength, 12), index: randomFloats(Math.max(4, c.indexLength), 13) };
    this.biases = {
      entry: randomFloats(Math.max(1, c.ratio) * halves * c.headLength, 14),
      index: randomFloats(Math.max(4, c.ratio * halves * c.indexLength), 15),
    };
    this.sinks = randomFloats(c.heads, 16);
    const vectors = c.ratio === 0 ? 0 : slotVectors(entryPoolShape(c, c.kv));
    const slots = limits.blockCount * blockLength;
    this.pool = c.ratio === 0 ? undefined : gpu.pool(new Float32Array(slots * vectors * 4), vectors, poolFold, c.place);
    // What is in it before the sequences begin is never read.
    this.state = gpu.buffer(new Float32Array(limits.maxSequences * keptRowsLength(c)).fill(1e9));
    this.window = gpu.buffer(new Float32Array((limits.maxTokens + limits.maxSequences * c.window) * c.headLength));
    this.rotation = gpu.buffer(Float32Array.from(rotationTable(ropeFrequencies(c.rotaryLength, base), limits.contextLength)));
    this.chosen = gpu.buffer(new Uint32Array(limits.maxTokens * Math.min(64, c.topK)));
    this.scores = gpu.buffer(new Float32Array(scoredTokens * this.entries));
  }

  get entries(): number {
    return Math.ceil(limits.contextLength / Math.max(1, this.c.ratio));
  }

  /** Attention's results of the step, [token][head][head length], turned back. */
  async step(sequences: readonly Sequence[], tokens: readonly Tokens[], counts: readonly number[]): Promise<Float32Array> {
    const { c, shape, batch } = this;
    batch.reset();
    for (const [i, sequence] of sequences.entries()) if ((counts[i] ?? 0) > 0) batch.addTokens(sequence, counts[i] ?? 0);
    const words = gpu.buffer(batch.seal());
    const joined = (name: keyof Tokens, width: number): Vectors => {
      const parts = sequences.flatMap(({ computed }, i) => [...(tokens[i]?.[name].subarray(computed * width, (computed + (counts[i] ?? 0)) * width) ?? [])]);
      return gpu.vectors(Float32Array.from(parts), width, c.place);
    };
    const total = batch.counts.tokens;
    const empty = (width: number): Vectors => gpu.vectors(new Float32Array(total * width), width, c.place);
    const width = c.heads * c.headLength;
    const [queries, attended, y] = [empty(width), empty(width), empty(width)];
    const form = { headLength: c.headLength, rotaryLength: c.rotaryLength, behind: 0, lanes: gpu.lanes, layout: batch.layout };
    const { rotation, state, window } = this;
    const rowNorm = { kind: 'rms', weight: gpu.uniform(this.norms.row), epsilon } as const;
    const raw = c.ratio === 0 ? undefined : joined('raw', rawLength(c));
    const operations: Operation[] = [
      turned({ ...form, heads: c.heads }, { x: joined('queries', width), y: queries, norm: { kind: 'rms', epsilon }, rotation, batch: words }),
      turned({ ...form, heads: 1, behind: c.window }, { x: joined('rows', c.headLength), y: window, norm: rowNorm, rotation, batch: words }),
      recallRows(shape, window, state, words),
      ...(raw === undefined ? [] : this.store(raw, words)),
    ];
    const isChosen = c.indexLength > 0;
    if (isChosen && this.pool !== undefined) {
      const own = c.indexHeads * c.indexLength;
      const indexQueries = empty(own);
      const x = gpu.vectors(Float32Array.from(sequences.flatMap(({ computed }, i) => this.indexQueries(tokens[i], computed, counts[i] ?? 0))), own, c.place);
      const weights = { rows: joined('indexWeights', c.indexHeads), start: 0, width: c.indexHeads };
      const buffers = { queries: indexQueries, weights, pool: this.pool, scores: this.scores, chosen: this.chosen, batch: words };
      operations.push(turned({ ...form, heads: c.indexHeads, headLength: c.indexLength }, { x, y: indexQueries, rotation, batch: words }));
      operations.push(...chooseEntries(entryIndex(shape), limits.maxTokens, this.entries, buffers, { lanes: gpu.lanes, family: c.family }));
    }
    const sinks = gpu.buffer(this.sinks);
    operations.push(
      attentionCompressed(shape, { queries, y: attended, rows: window, pool: this.pool, chosen: isChosen ? this.chosen : undefined, sinks, batch: words }),
      turned({ ...form, heads: c.heads }, { x: attended, y, rotation, isBack: true, batch: words }),
      keepRows(shape, 'window', window, state, words),
      ...(raw === undefined ? [] : [keepRows(shape, 'raw', raw, state, words)]),
    );
    await gpu.run(operations, batch.counts);
    for (const [i, sequence] of sequences.entries()) sequence.computed += counts[i] ?? 0;
    return await gpu.readVectors(y);
  }

  indexQueries(tokens: Tokens | undefined, first: number, count: number): number[] {
    const own = this.c.indexHeads * this.c.indexLength;
    return [...(tokens?.indexQueries.subarray(first * own, (first + count) * own) ?? [])];
  }

  store(rows: Vectors, words: Slice): Operation[] {
    const { c, shape, state, rotation } = this;
    const pool = this.pool as Vectors;
    return (c.indexLength > 0 ? (['entry', 'index'] as const) : (['entry'] as const)).map((part) => {
      const norm = { weight: gpu.uniform(this.norms[part]), epsilon };
      return compress(shape, part, { rows, pool, state, biases: gpu.buffer(this.biases[part]), norm, rotation, batch: words });
    });
  }
}

/** Keys of all whole entries of a sequence. */
function entriesOf({ c, norms, biases }: Layer, { raw }: Tokens, length: number, part: EntryPart): Float64Array[] {
  const halves = c.ratio === 4 ? 2 : 1;
  const rows = Array.from({ length }, (_, i) => rowOf(raw, rawLength(c), i));
  const own = part === 'index' ? c.indexLength : c.headLength;
  const form = { length: own, ratio: c.ratio, overlaps: c.ratio === 4, start: part === 'index' ? 2 * halves * c.headLength : 0 };
  return Array.from({ length: Math.floor(length / c.ratio) }, (_, entry) =>
    turn(entryReference(entry, rows, biases[part], form), c.rotaryLength, entry * c.ratio, { epsilon, weights: norms[part] }),
  );
}

/** What a token's attention gives, from the whole sequence. */
function expected(layer: Layer, tokens: Tokens, position: number, entries: readonly Float64Array[], keys: readonly Float64Array[]): Float64Array[] {
  const { c, norms, sinks } = layer;
  const window = Array.from({ length: Math.min(c.window, position + 1) }, (_, i) => position - i);
  const rows = window.map((at) => turn(rowOf(tokens.rows, c.headLength, at), c.rotaryLength, at, { epsilon, weights: norms.row }));
  const seen = c.ratio === 0 ? 0 : Math.floor((position + 1) / c.ratio);
  let chosen = Array.from({ length: seen }, (_, entry) => entry);
  if (c.indexLength > 0 && seen > c.topK) {
    const all = rowOf(tokens.indexQueries, c.indexHeads * c.indexLength, position);
    const queries = Array.from({ length: c.indexHeads }, (_, head) => turn(rowOf(all, c.indexLength, head), c.rotaryLength, position));
    const weights = rowOf(tokens.indexWeights, c.indexHeads, position);
    const scores = keys.slice(0, seen).map((key) => indexScoreReference(queries, weights, key));
    chosen = chosenReference(scores, c.topK);
  }
  const seenKeys = [...rows, ...chosen.map((entry) => entries[entry] ?? [])];
  return Array.from({ length: c.heads }, (_, head) => {
    const query = turn(rowOf(tokens.queries, c.headLength, position * c.heads + head), c.rotaryLength, position, { epsilon });
    return turn(sharedAttentionReference(query, seenKeys, sinks[head] ?? 0), c.rotaryLength, position, { isBack: true });
  });
}

const small = { window: 8, headLength: 40, rotaryLength: 8, heads: 3, indexHeads: 12, topK: 5 } as const;
const everything = 0xffffffff;
const cases: readonly Case[] = [
  {
    ...small,
    ratio: 4,
    indexLength: 24,
    kv: 'f32',
    place: 'texture',
    steps: [
      [1, 9],
      [2, 0],
      [1, 1],
      [4, 3],
      [0, 17],
      [31, 2],
      [7, 30],
    ],
  },
  {
    ...small,
    ratio: 4,
    indexLength: 24,
    kv: 'f16',
    place: 'buffer',
    family: 'wide',
    steps: [
      [40, 3],
      [3, 40],
    ],
  },
  {
    ...small,
    ratio: 128,
    indexLength: 0,
    topK: everything,
    window: 5,
    headLength: 32,
    kv: 'f32',
    place: 'texture',
    steps: [
      [127, 3],
      [1, 124],
      [1, 1],
      [126, 2],
      [3, 130],
    ],
  },
  {
    ...small,
    ratio: 0,
    indexLength: 0,
    heads: 8,
    topK: everything,
    kv: 'f32',
    place: 'buffer',
    steps: [
      [1, 2],
      [12, 0],
      [3, 7],
    ],
  },
];

/** As the pool has them: what is chosen goes by that. */
const storedAs = ({ kv }: Case, keys: readonly Float64Array[]): Float64Array[] =>
  keys.map((key) => (kv === 'f16' ? Float64Array.from(Float16Array.from(key)) : key));

/** In f16 a key may be rounded up where the reference's is rounded down. */
const boundOf = ({ kv }: Case): number => (kv === 'f32' ? compressedBound : 1e-7);

describe('two sequences in steps', () => {
  it.each(cases)('ratio $ratio, window $window, heads of $headLength, $kv in a $place', { timeout: patience }, async (c) => {
    const layer = new Layer(c);
    const lengths = [0, 1].map((i) => c.steps.reduce((sum, counts) => sum + (counts[i] ?? 0), 0));
    const tokens = lengths.map((length, i) => createTokens(c, length, 20 + 10 * i));
    const sequences = lengths.map((length, i) => {
      const sequence = new Sequence({ promptIds: new Uint32Array(length), maxTokens: 1 }, limits.contextLength, {
        event: () => undefined,
        fail: () => undefined,
      });
      sequence.blocks = Array.from({ length: Math.ceil(length / blockLength) }, (_, block) => (2 * block + 1 - i) as BlockId);
      sequence.state = (1 - i) as BlockId;
      return sequence;
    });
    const entries = tokens.map((own, i) => (c.ratio === 0 ? [] : entriesOf(layer, own, lengths[i] ?? 0, 'entry')));
    const keys = tokens.map((own, i) => (c.indexLength === 0 ? [] : entriesOf(layer, own, lengths[i] ?? 0, 'index')));
    for (const counts of c.steps) {
      const firsts = sequences.map(({ computed }) => computed);
      const got = await layer.step(sequences, tokens, counts);
      const wanted = counts.flatMap((count, i) =>
        Array.from({ length: count }, (_, k) =>
          expected(layer, tokens[i] as Tokens, (firsts[i] ?? 0) + k, storedAs(c, entries[i] ?? []), storedAs(c, keys[i] ?? [])),
        ),
      );
      const { error, message } = compare(
        got,
        wanted.flat().flatMap((head) => [...head]),
      );
      expect(error, `step ${counts.join(' and ')}: ${message}`).toBeLessThan(boundOf(c));
    }
    if (layer.pool !== undefined) await expectEntries(layer, sequences, entries, keys);
  });
});

/** Every whole entry, in the slots of its last tokens. */
async function expectEntries(
  { c, pool }: Layer,
  sequences: readonly Sequence[],
  entries: readonly Float64Array[][],
  keys: readonly Float64Array[][],
): Promise<void> {
  const bytes = await gpu.readBytes(pool as Vectors);
  const all = c.kv === 'f32' ? new Float32Array(bytes) : new Float16Array(bytes);
  const vector = c.kv === 'f32' ? 4 : 8;
  const slotLength = slotVectors(entryPoolShape(c, c.kv)) * vector;
  for (const [i, { blocks }] of sequences.entries()) {
    for (const [entry, key] of (entries[i] ?? []).entries()) {
      const position = (entry + 1) * c.ratio - Math.min(c.ratio, blockLength);
      const slot = (blocks[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
      const at = slot * slotLength;
      expect(compare(all.subarray(at, at + c.headLength), key).error, `entry ${entry} of ${i}`).toBeLessThan(entryBounds[c.kv as 'f16' | 'f32']);
      const keyAt = at + Math.ceil(c.headLength / vector) * vector;
      const index = keys[i]?.[entry];
      if (index)
        expect(compare(all.subarray(keyAt, keyAt + c.indexLength), index).error, `key ${entry} of ${i}`).toBeLessThan(entryBounds[c.kv as 'f16' | 'f32']);
    }
  }
}

it('heads are normed with weights and turned back', async () => {
  const [heads, headLength, rotaryLength, tokens] = [3, 24, 12, 4];
  const batch = new Batch(limits);
  const sequence = new Sequence({ promptIds: new Uint32Array(tokens), maxTokens: 1 }, 64, { event: () => undefined, fail: () => undefined });
  sequence.blocks = [0 as BlockId];
  batch.addTokens(sequence, tokens);
  const x = randomFloats(tokens * heads * headLength, 3);
  const weights = randomFloats(headLength, 4);
  const y = gpu.buffer(new Float32Array(x.length));
  const rotation = gpu.buffer(Float32Array.from(rotationTable(ropeFrequencies(rotaryLength, base), 64)));
  const form = { heads, headLength, rotaryLength, behind: 0, lanes: gpu.lanes, layout: batch.layout };
  const norm = { kind: 'rms', weight: gpu.uniform(weights), epsilon } as const;
  const operation = turned(form, { x: gpu.vectors(x, heads * headLength, 'texture'), y, norm, rotation, isBack: true, batch: gpu.buffer(batch.seal()) });
  await gpu.run([operation], batch.counts);
  const wanted = Array.from({ length: tokens * heads }, (_, i) =>
    turn(rowOf(x, headLength, i), rotaryLength, Math.floor(i / heads), { epsilon, weights, isBack: true }),
  );
  const { error, message } = compare(
    await gpu.readFloats(y),
    wanted.flatMap((head) => [...head]),
  );
  expect(error, message).toBeLessThan(headsBound);
});
