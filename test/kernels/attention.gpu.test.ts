import { beforeAll, describe, expect, it } from 'vitest';
import { attentionBound, attentionReference, roundQ8 } from '../../kernels/attention.ref.ts';
import { type AttentionShape, attention, attentionMerge, slotVectors } from '../../kernels/attention.ts';
import type { Place } from '../../kernels/kernel.ts';
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
const limits = { maxTokens: 80, maxSequences: 4, maxLogitRows: 2, contextLength: 2048, blockCount: 200, blockLength, maxEdits: 0 };

const isFull = process.env['INWARD_FULL'] === '1';
const largeHeads = [
  { heads: 5, kvHeads: 1, headLength: 128, positions: 300 },
  { heads: 14, kvHeads: 2, headLength: 64, positions: 40 },
  { heads: 2, kvHeads: 1, headLength: 256, positions: 9 },
  { heads: 1, kvHeads: 1, headLength: 512, positions: 600 },
  { heads: 3, kvHeads: 3, headLength: 96, positions: 1100 },
];

type Heads = Pick<AttentionShape, 'heads' | 'kvHeads' | 'headLength' | 'window' | 'softcap' | 'kv'>;

/** Tokens [first, end) of a sequence, whose keys and values before them are in the pool. */
interface Span {
  readonly first: number;
  readonly end: number;
}

interface Data {
  readonly query: Float32Array;
  /** [position][KV head][head length] for each span's sequence. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** Runs the spans as one batch; gives the results and those of the reference, [token][head][head length]. */
async function attend(
  heads: Heads,
  place: Place,
  spans: readonly Span[],
  data: Data,
  sinks?: Float32Array,
): Promise<{ got: Float32Array; expected: Float64Array }> {
  const batch = new Batch(limits);
  // Blocks in an order that no address arithmetic could guess.
  const next = random(spans.length);
  const order = Array.from({ length: limits.blockCount }, (_, i) => i).sort(() => next() - 0.5);
  const shape: AttentionShape = { ...heads, rotaryLength: heads.headLength, blockLength, poolFold: 3, lanes: gpu.lanes, layout: batch.layout };
  const pool = new Uint8Array(limits.blockCount * blockLength * slotVectors(shape) * 16).fill(0x64);
  const width = heads.heads * heads.headLength;
  const expected: number[] = [];
  spans.forEach(({ first, end }, i) => {
    const sequence = new Sequence({ promptIds: new Uint32Array(end), maxTokens: 1 }, 2048, sink);
    sequence.blocks = order.splice(0, Math.ceil(end / blockLength)) as BlockId[];
    sequence.computed = first;
    const before = batch.counts.tokens;
    batch.addTokens(sequence, end - first);
    const [keys, values] = [data.keys[i], data.values[i]].map((all = new Float32Array(), isValue) => store(pool, shape, sequence.blocks, all, isValue)) as [
      Float32Array,
      Float32Array,
    ];
    for (let position = first; position < end; position++) {
      const query = data.query.subarray((before + position - first) * width, (before + position - first + 1) * width);
      expected.push(...attentionReference({ ...heads, ...(sinks === undefined ? {} : { sinks }) }, query, keys, values, position + 1));
    }
  });
  const queries = data.query.slice(0, expected.length);
  const scratch = { partials: gpu.buffer(new Float32Array(batch.maxItems * width)), states: gpu.buffer(new Float32Array(batch.maxItems * heads.heads * 2)) };
  const y = gpu.vectors(new Float32Array(expected.length), width, place);
  const words = gpu.buffer(batch.seal());
  const sinkBuffer = sinks === undefined ? undefined : gpu.buffer(sinks);
  const operations = [
    attention(
      shape,
      gpu.vectors(queries, width, place),
      gpu.pool(new Float32Array(pool.buffer), slotVectors(shape), shape.poolFold, place),
      scratch,
      y,
      words,
      sinkBuffer,
    ),
    attentionMerge(shape, scratch, y, words, sinkBuffer),
  ];
  await gpu.run(operations, batch.counts);
  const got = await gpu.readVectors(y);
  await gpu.run(operations, batch.counts);
  expect(await gpu.readVectors(y)).toEqual(got);
  return { got, expected: Float64Array.from(expected) };
}

/** Puts [position][KV head][length] into the pool's bytes in its format; gives the values that are there then. */
function store(pool: Uint8Array, shape: AttentionShape, blocks: readonly number[], all: Float32Array, isValue: number): Float32Array {
  const { kvHeads, headLength, kv } = shape;
  const rounded = kv === 'f16' ? all.map(Math.f16round) : all.slice();
  const headSize = { f32: headLength * 4, f16: headLength * 2, q8: Math.ceil(headLength / 16) * 16 }[kv];
  for (let head = 0; head < all.length / headLength; head++) {
    const position = Math.floor(head / kvHeads);
    const slot = (blocks[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
    const start = slot * slotVectors(shape) * 16;
    const at = start + (isValue * kvHeads + (head % kvHeads)) * headSize;
    const values = rounded.subarray(head * headLength, (head + 1) * headLength);
    if (kv === 'f32') pool.set(new Uint8Array(values.slice().buffer), at);
    if (kv === 'f16') pool.set(new Uint8Array(Float16Array.from(values).buffer), at);
    if (kv === 'q8') {
      const { codes, scale } = roundQ8(values);
      pool.set(new Uint8Array(codes.buffer), at);
      pool.set(new Uint8Array(new Float32Array([scale]).buffer), start + 2 * kvHeads * headSize + (head % kvHeads) * 16 + isValue * 4);
      codes.forEach((code, i) => {
        values[i] = code * scale;
      });
    }
  }
  return rounded;
}

function randomData({ heads, kvHeads, headLength }: Heads, spans: readonly Span[]): Data {
  return {
    query: randomFloats(limits.maxTokens * heads * headLength, 1, headLength ** -0.5),
    keys: spans.map(({ end }, i) => randomFloats(end * kvHeads * headLength, 2 + i)),
    values: spans.map(({ end }, i) => randomFloats(end * kvHeads * headLength, 20 + i)),
  };
}

describe.each(['f32', 'f16', 'q8'] as const)('attention over %s', (kv) => {
  it.each([
    { heads: 9, kvHeads: 3, headLength: 64, positions: 33 },
    { heads: 2, kvHeads: 2, headLength: 16, positions: 19 },
    { heads: 2, kvHeads: 1, headLength: 72, positions: 17 },
    ...(isFull || kv === 'f16' ? largeHeads : []),
  ])('$heads heads, $kvHeads KV heads of $headLength, $positions positions', async ({ positions, ...heads }) => {
    const spans = [{ first: positions - 1, end: positions }];
    const { got, expected } = await attend({ ...heads, kv }, gpu.open.place, spans, randomData({ ...heads, kv }, spans));
    const { error, message } = compare(got, expected);
    expect(error, message).toBeLessThan(attentionBound);
  });

  /** The first positions; the edge of an item; several items. */
  const spans = [
    { first: 0, end: 35 },
    { first: 506, end: 518 },
    { first: 598, end: 600 },
  ];
  const sinks = new Float32Array([0.5, -3, 2, -1e4]);
  it.each<{ options: string; window?: number; softcap?: number; sinks?: Float32Array }>([
    { options: 'none' },
    { options: 'a window of 1', window: 1 },
    { options: 'a window of 17', window: 17 },
    { options: 'a window over two items', window: 300 },
    { options: 'a soft cap', softcap: 0.3 },
    { options: 'sinks', sinks },
    { options: 'all', window: 33, softcap: 50, sinks },
  ])('$options: 49 tokens of three sequences', async ({ window, softcap, sinks }) => {
    const heads: Heads = { heads: 4, kvHeads: 2, headLength: 32, kv, ...(window && { window }), ...(softcap && { softcap }) };
    const { got, expected } = await attend(heads, gpu.open.place, spans, randomData(heads, spans), sinks);
    const { error, message } = compare(got, expected);
    expect(error, message).toBeLessThan(attentionBound);
  });

  it('equal scores, one huge score, keys and values of zeros', async () => {
    const heads: Heads = { heads: 4, kvHeads: 2, headLength: 32, kv };
    const crafted = spans.slice(0, 3);
    const data = randomData(heads, crafted);
    data.keys[0]?.fill(0.5);
    data.keys[1]
      ?.fill(0)
      .subarray(100 * 64, 101 * 64)
      .fill(3e4);
    data.values[2]?.fill(0);
    const { got, expected } = await attend(heads, gpu.open.place, crafted, data);
    const { error, message } = compare(got, expected);
    expect(error, message).toBeLessThan(attentionBound);
  });

  // Small, because lavapipe takes long to compile loads from buffers.
  it('where the device does not keep its pools', async () => {
    const heads: Heads = { heads: 3, kvHeads: 1, headLength: 16, kv };
    const { got, expected } = await attend(heads, gpu.open.place === 'buffer' ? 'texture' : 'buffer', spans, randomData(heads, spans));
    const { error, message } = compare(got, expected);
    expect(error, message).toBeLessThan(attentionBound);
  });
});
