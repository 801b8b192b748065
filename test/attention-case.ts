/**
 * Owns what tests of attention kernels are made of: tokens of several sequences over a paged KV pool, run by every form of a
 * kernel, and what the reference gives for them. Refuses results whose bits depend on the form or the run.
 */
import { expect } from 'vitest';
import { attentionReference, roundQ8 } from '../kernels/attention.ref.ts';
import { type AttentionShape, type attention, attentionMerge, slotVectors } from '../kernels/attention.ts';
import type { Place } from '../kernels/kernel.ts';
import { random, randomFloats } from '../kernels/random.ref.ts';
import { Batch } from '../runtime/batch.ts';
import { Sequence } from '../runtime/sequence.ts';
import type { BlockId } from '../runtime/types.ts';
import type { Gpu } from './gpu.ts';

const sink = { event: () => undefined, fail: () => undefined };
const blockLength = 16;
const limits = { maxTokens: 80, maxSequences: 4, maxLogitRows: 4, contextLength: 2048, blockCount: 200, blockLength, maxEdits: 0 };

export type Heads = Pick<AttentionShape, 'heads' | 'kvHeads' | 'headLength' | 'window' | 'softcap' | 'kv'>;

/** Tokens [first, end) of a sequence, whose keys and values before them are in the pool. */
export interface Span {
  readonly first: number;
  readonly end: number;
}

export interface AttentionData {
  readonly query: Float32Array;
  /** [position][KV head][head length] for each span's sequence. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

export function randomData({ heads, kvHeads, headLength }: Heads, spans: readonly Span[]): AttentionData {
  return {
    query: randomFloats(limits.maxTokens * heads * headLength, 1, headLength ** -0.5),
    keys: spans.map(({ end }, i) => randomFloats(end * kvHeads * headLength, 2 + i)),
    values: spans.map(({ end }, i) => randomFloats(end * kvHeads * headLength, 20 + i)),
  };
}

export interface AttentionCase {
  readonly kernel: typeof attention;
  readonly heads: Heads;
  readonly place: Place;
  readonly spans: readonly Span[];
  /** Default: random. */
  readonly data?: AttentionData;
  readonly sinks?: Float32Array | undefined;
}

/** Runs the spans as one batch; gives the results and those of the reference, [token][head][head length]. */
export async function attend(
  gpu: Gpu,
  { kernel, heads, place, spans, data = randomData(heads, spans), sinks }: AttentionCase,
): Promise<{ got: Float32Array; expected: Float64Array }> {
  const batch = new Batch(limits);
  const shape: AttentionShape = { ...heads, rotaryLength: heads.headLength, blockLength, poolFold: 3, lanes: gpu.lanes, layout: batch.layout };
  const bytes = new Uint8Array(limits.blockCount * blockLength * slotVectors(shape) * 16).fill(0x64);
  const expected = fill(batch, bytes, shape, spans, data, sinks);
  const width = heads.heads * heads.headLength;
  const queries = gpu.vectors(data.query.slice(0, expected.length), width, place);
  const pool = gpu.pool(new Float32Array(bytes.buffer), slotVectors(shape), shape.poolFold, place);
  const words = gpu.buffer(batch.seal());
  const sinkBuffer = sinks && gpu.buffer(sinks);
  const run = async (variant: number): Promise<{ got: Float32Array; variantCount: number }> => {
    const scratch = { partials: gpu.buffer(new Float32Array(batch.maxItems * width)), states: gpu.buffer(new Float32Array(batch.maxItems * heads.heads * 2)) };
    const y = gpu.vectors(new Float32Array(expected.length), width, place);
    const operation = kernel(shape, queries, pool, scratch, y, words, sinkBuffer);
    await gpu.run([{ ...operation, choose: () => variant }, attentionMerge(shape, scratch, y, words, sinkBuffer)], batch.counts);
    await Promise.all([gpu.read(scratch.partials), gpu.read(scratch.states)]); // nothing behind them was written
    return { got: await gpu.readVectors(y), variantCount: operation.variants.length };
  };
  const { got, variantCount } = await run(0);
  for (const variant of [0, 1, 1].filter((one) => one < variantCount)) {
    const again = (await run(variant)).got;
    expect(
      got.findIndex((value, i) => !Object.is(value, again[i])),
      `variant ${variant}`,
    ).toBe(-1);
  }
  return { got, expected };
}

/** Puts the spans into the batch and their keys and values into the pool's bytes; gives what the reference has for their tokens. */
function fill(
  batch: Batch,
  pool: Uint8Array,
  shape: AttentionShape,
  spans: readonly Span[],
  data: AttentionData,
  sinks: Float32Array | undefined,
): Float64Array {
  // Blocks in an order that no address arithmetic could guess.
  const next = random(spans.length);
  const order = Array.from({ length: limits.blockCount }, (_, i) => i).sort(() => next() - 0.5);
  const width = shape.heads * shape.headLength;
  const expected: number[] = [];
  spans.forEach(({ first, end }, i) => {
    const sequence = new Sequence({ promptIds: new Uint32Array(end), maxTokens: 1 }, limits.contextLength, sink);
    sequence.blocks = order.splice(0, Math.ceil(end / blockLength)) as BlockId[];
    sequence.computed = first;
    batch.addTokens(sequence, end - first);
    const keys = store(pool, shape, sequence.blocks, data.keys[i] ?? new Float32Array(), 0);
    const values = store(pool, shape, sequence.blocks, data.values[i] ?? new Float32Array(), 1);
    for (let position = first; position < end; position++) {
      const query = data.query.subarray(expected.length, expected.length + width);
      expected.push(...attentionReference({ ...shape, ...(sinks && { sinks }) }, query, keys, values, position + 1));
    }
  });
  return Float64Array.from(expected);
}

/** Puts [position][KV head][length] into the pool's bytes in its format; gives the values that are there then. */
function store(pool: Uint8Array, shape: AttentionShape, blocks: readonly number[], all: Float32Array, isValue: 0 | 1): Float32Array {
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
