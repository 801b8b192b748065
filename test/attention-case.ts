/**
 * Owns what tests of attention kernels are made of: the cases that each must prove, tokens of several sequences over a paged KV pool, run
 * by every form of a kernel, and what the reference gives for them. Refuses results whose bits depend on the form or the run.
 */
import { expect } from 'vitest';
import { attentionReference, roundQ8 } from '../kernels/attention.ref.ts';
import { type AttentionShape, type attention, attentionMerge, slotVectors, valueLength } from '../kernels/attention.ts';
import type { Place } from '../kernels/kernel.ts';
import { random, randomFloats } from '../kernels/random.ref.ts';
import { Batch } from '../runtime/scheduling/batch.ts';
import { Sequence } from '../runtime/scheduling/sequence.ts';
import type { BlockId } from '../runtime/types.ts';
import { compare, type Gpu, joined } from './gpu.ts';

const sink = { event: () => undefined, fail: () => undefined };
const blockLength = 16;
const limits = { maxTokens: 80, maxSequences: 4, maxLogitRows: 4, contextLength: 2048, blockCount: 200, blockLength, maxEdits: 0 };

type Heads = Pick<AttentionShape, 'heads' | 'kvHeads' | 'headLength' | 'latentLength' | 'indexLength' | 'window' | 'topK' | 'softcap' | 'kv'>;

/** Tokens [first, end) of a sequence, whose keys and values before them are in the pool. */
interface Span {
  readonly first: number;
  readonly end: number;
}

interface AttentionData {
  readonly query: Float32Array;
  /** [position][KV head][head length] for each span's sequence; latent rows are keys alone. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

function randomData({ heads, kvHeads, headLength }: Heads, spans: readonly Span[]): AttentionData {
  return {
    query: randomFloats(limits.maxTokens * heads * headLength, 1, headLength ** -0.5),
    keys: spans.map(({ end }, i) => randomFloats(end * kvHeads * headLength, 2 + i)),
    values: spans.map(({ end }, i) => randomFloats(end * kvHeads * headLength, 20 + i)),
  };
}

interface AttentionCase {
  readonly heads: Heads;
  readonly spans: readonly Span[];
  /** Default: random. */
  readonly data?: AttentionData | undefined;
  readonly sinks?: Float32Array | undefined;
}

/** What is asked of a case: the kernel, where queries, pool and results lie, and the form; without it all forms, which must give the same bits. */
export interface AttentionRun {
  readonly kernel: typeof attention;
  readonly place: Place;
  readonly form?: number;
}

export interface NamedCase {
  readonly name: string;
  /** Queries, pool and results lie where the device does not keep them. */
  readonly isElsewhere?: boolean;
  readonly isLatent?: boolean;
  readonly make: (kv: AttentionShape['kv']) => AttentionCase;
}

/** Heads of many kinds; the first positions; the edges of tiles, of blocks and of items. */
const headCases: readonly (Omit<Heads, 'kv'> & { readonly spans: readonly (readonly [first: number, end: number])[] })[] = [
  { heads: 4, kvHeads: 2, headLength: 32, spans: [[0, 1]] },
  { heads: 2, kvHeads: 2, headLength: 16, spans: [[18, 19]] },
  { heads: 9, kvHeads: 3, headLength: 64, spans: [[0, 33]] },
  {
    heads: 4,
    kvHeads: 4,
    headLength: 24,
    spans: [
      [14, 19],
      [31, 32],
      [0, 17],
      [254, 257],
    ],
  },
  { heads: 2, kvHeads: 1, headLength: 72, spans: [[15, 17]] },
  { heads: 14, kvHeads: 2, headLength: 80, spans: [[40, 49]] },
  { heads: 3, kvHeads: 3, headLength: 96, spans: [[1099, 1100]] },
  { heads: 8, kvHeads: 1, headLength: 128, spans: [[250, 262]] },
  { heads: 5, kvHeads: 1, headLength: 128, spans: [[299, 300]] },
  { heads: 2, kvHeads: 1, headLength: 256, spans: [[3, 9]] },
  {
    heads: 2,
    kvHeads: 1,
    headLength: 512,
    spans: [
      [511, 513],
      [599, 600],
    ],
  },
];

/** Rows shared by few heads and by many, of a length that no chunk and no load divides, and as long as those of released models. */
const latentCases: typeof headCases = [
  { heads: 4, kvHeads: 1, headLength: 128, latentLength: 96, spans: [[250, 262]] },
  { heads: 6, kvHeads: 2, headLength: 40, latentLength: 32, spans: [[0, 19]] },
  { heads: 20, kvHeads: 1, headLength: 152, latentLength: 136, spans: [[599, 602]] },
  { heads: 17, kvHeads: 1, headLength: 64, latentLength: 64, spans: [[30, 34]] },
  {
    heads: 18,
    kvHeads: 1,
    headLength: 576,
    latentLength: 512,
    spans: [
      [0, 2],
      [520, 521],
    ],
  },
];

/** Of some positions: below the count, at it, and above; in items of which some have none; values that are all of a row, with a sink. */
const chosenCases: readonly (Omit<Heads, 'kv'> & Pick<AttentionCase, 'spans' | 'sinks'> & { readonly topK: number })[] = [
  { heads: 4, kvHeads: 1, headLength: 128, latentLength: 96, indexLength: 32, topK: 12, spans: [{ first: 9, end: 15 }] },
  {
    heads: 5,
    kvHeads: 1,
    headLength: 40,
    latentLength: 40,
    indexLength: 8,
    topK: 13,
    spans: [
      { first: 1998, end: 2000 },
      { first: 0, end: 1 },
    ],
    sinks: new Float32Array([0.5, -3, 2, -1e4, 1]),
  },
  { heads: 18, kvHeads: 1, headLength: 152, latentLength: 136, indexLength: 128, topK: 520, spans: [{ first: 1200, end: 1202 }] },
];

/** 49 tokens of three sequences: the first positions; the edge of an item; several items. */
const optionSpans: readonly Span[] = [
  { first: 0, end: 35 },
  { first: 506, end: 518 },
  { first: 598, end: 600 },
];
const sinks = new Float32Array([0.5, -3, 2, -1e4]);
const optionCases: readonly { readonly options: string; readonly window?: number; readonly softcap?: number; readonly sinks?: Float32Array }[] = [
  { options: 'no option' },
  { options: 'a window of 1', window: 1 },
  { options: 'a window of 17', window: 17 },
  { options: 'a window of 32', window: 32 },
  { options: 'a window over two items', window: 300 },
  { options: 'a soft cap', softcap: 0.3 },
  { options: 'sinks', sinks },
  { options: 'all options', window: 33, softcap: 50, sinks },
];
const optionHeads = { heads: 4, kvHeads: 2, headLength: 32 };

/** Equal scores, also of queries past the range of f16; one huge score; values of zeros. */
function craftedData(heads: Heads): AttentionData {
  const data = randomData(heads, optionSpans);
  data.keys[0]?.fill(0.5);
  const width = heads.heads * heads.headLength;
  data.query.subarray(3 * width, 4 * width).forEach((value, i, large) => {
    large[i] = value * 1e6;
  });
  data.keys[1]
    ?.fill(0)
    .subarray(100 * 64, 101 * 64)
    .fill(3e4);
  data.values[2]?.fill(0);
  return data;
}

const allCases: readonly NamedCase[] = [
  ...headCases.map(({ spans, ...heads }) => ({
    name: `${heads.heads} heads, ${heads.kvHeads} KV heads of ${heads.headLength}`,
    make: (kv: AttentionShape['kv']) => ({ heads: { ...heads, kv }, spans: spans.map(([first, end]) => ({ first, end })) }),
  })),
  ...latentCases.map(({ spans, ...heads }) => ({
    name: `${heads.heads} heads, ${heads.kvHeads} latent rows of ${heads.headLength}`,
    isLatent: true,
    make: (kv: AttentionShape['kv']) => ({ heads: { ...heads, kv }, spans: spans.map(([first, end]) => ({ first, end })) }),
  })),
  ...chosenCases.map(({ spans, sinks, ...heads }) => ({
    name: `${heads.topK} chosen of latent rows of ${heads.headLength}`,
    isLatent: true,
    make: (kv: AttentionShape['kv']) => ({ heads: { ...heads, kv }, spans, sinks }),
  })),
  ...optionCases.map(({ options, window, softcap, sinks }) => ({
    name: options,
    make: (kv: AttentionShape['kv']) => ({ heads: { ...optionHeads, kv, ...(window && { window }), ...(softcap && { softcap }) }, spans: optionSpans, sinks }),
  })),
  { name: 'crafted rows', make: (kv) => ({ heads: { ...optionHeads, kv }, spans: optionSpans, data: craftedData({ ...optionHeads, kv }) }) },
  // Small, because lavapipe takes long to compile loads from buffers.
  { name: 'elsewhere', isElsewhere: true, make: (kv) => ({ heads: { heads: 3, kvHeads: 1, headLength: 16, kv, window: 40 }, spans: optionSpans }) },
];

/** What every attention kernel proves. */
export function attentionCases(kv: AttentionShape['kv']): readonly NamedCase[] {
  return allCases.filter(({ isLatent = false }) => kv !== 'q8' || !isLatent);
}

/** Runs a case of the list; every token is within the bound. `place`: where the device keeps its vectors. */
export async function checkAttention(
  gpu: Gpu,
  { make, isElsewhere = false }: NamedCase,
  kv: AttentionShape['kv'],
  bound: number,
  { place, ...run }: AttentionRun,
): Promise<void> {
  const made = make(kv);
  const elsewhere: Place = place === 'buffer' ? 'texture' : 'buffer';
  const { got, expected } = await attend(gpu, made, { ...run, place: isElsewhere ? elsewhere : place });
  const width = made.heads.heads * valueLength(made.heads);
  for (let at = 0; at < expected.length; at += width) {
    const { error, message } = compare(got.subarray(at, at + width), expected.subarray(at, at + width));
    expect(error, `token ${at / width}: ${message}`).toBeLessThan(bound);
  }
}

/** Runs the spans as one batch; gives the results and those of the reference, [token][head][value length]. */
async function attend(
  gpu: Gpu,
  { heads, spans, data = randomData(heads, spans), sinks }: AttentionCase,
  { kernel, place, form }: AttentionRun,
): Promise<{ got: Float32Array; expected: Float64Array }> {
  const batch = new Batch(limits);
  const shape: AttentionShape = { ...heads, rotaryLength: heads.headLength, blockLength, poolFold: 3, lanes: gpu.lanes, layout: batch.layout };
  const bytes = new Uint8Array(limits.blockCount * blockLength * slotVectors(shape) * 16).fill(0x64);
  const { expected, chosen } = fill(batch, bytes, shape, spans, data, sinks);
  const width = heads.heads * valueLength(heads);
  const queryWidth = heads.heads * heads.headLength;
  const queries = gpu.vectors(data.query.slice(0, (expected.length / width) * queryWidth), queryWidth, place);
  const pool = gpu.pool(new Float32Array(bytes.buffer), slotVectors(shape), shape.poolFold, place);
  const words = gpu.buffer(batch.seal());
  const sinkBuffer = sinks && gpu.buffer(sinks);
  const chosenBuffer = heads.topK === undefined ? undefined : gpu.buffer(Uint32Array.from(chosen));
  const run = async (variant: number): Promise<{ got: Float32Array; variantCount: number }> => {
    const scratch = { partials: gpu.buffer(new Float32Array(batch.maxItems * width)), states: gpu.buffer(new Float32Array(batch.maxItems * heads.heads * 2)) };
    const y = gpu.vectors(new Float32Array(expected.length), width, place);
    const operation = kernel(shape, queries, pool, scratch, y, words, sinkBuffer, chosenBuffer);
    await gpu.run([{ ...operation, choose: () => variant }, attentionMerge(shape, scratch, y, words, sinkBuffer)], batch.counts);
    await Promise.all([gpu.read(scratch.partials), gpu.read(scratch.states)]); // nothing behind them was written
    return { got: await gpu.readVectors(y), variantCount: operation.variants.length };
  };
  const { got, variantCount } = await run(form ?? 0);
  for (const variant of form === undefined ? [0, 1, 1].filter((one) => one < variantCount) : [form]) {
    const again = (await run(variant)).got;
    expect(
      got.findIndex((value, i) => !Object.is(value, again[i])),
      `variant ${variant}`,
    ).toBe(-1);
  }
  return { got, expected };
}

/**
 * Puts the spans into the batch and their keys and values into the pool's bytes; gives what the reference has for their tokens, and with a topK the
 * slots that each sees, at random.
 */
function fill(
  batch: Batch,
  pool: Uint8Array,
  shape: AttentionShape,
  spans: readonly Span[],
  data: AttentionData,
  sinks: Float32Array | undefined,
): { readonly expected: Float64Array; readonly chosen: readonly number[] } {
  // Blocks in an order that no address arithmetic could guess.
  const next = random(spans.length);
  const order = Array.from({ length: limits.blockCount }, (_, i) => i).sort(() => next() - 0.5);
  const width = shape.heads * shape.headLength;
  const expected: number[] = [];
  const chosen: number[] = [];
  let at = 0;
  spans.forEach(({ first, end }, i) => {
    const sequence = new Sequence({ promptIds: new Uint32Array(end), maxTokens: 1 }, limits.contextLength, sink);
    sequence.blocks = order.splice(0, Math.ceil(end / blockLength)) as BlockId[];
    sequence.computed = first;
    batch.addTokens(sequence, end - first);
    const keys = store(pool, shape, sequence.blocks, data.keys[i] ?? new Float32Array(), 0);
    const values = shape.latentLength === undefined ? store(pool, shape, sequence.blocks, data.values[i] ?? new Float32Array(), 1) : keys;
    for (let position = first; position < end; position++) {
      const query = data.query.subarray(at, at + width);
      at += width;
      const reference = { ...shape, ...(sinks && { sinks }) };
      if (shape.topK === undefined) expected.push(...attentionReference(reference, query, keys, values, position + 1));
      else {
        const own = choose(position + 1, shape.topK, next);
        const rows = joined(own.map((one) => keys.subarray(one * shape.headLength, (one + 1) * shape.headLength)));
        expected.push(...attentionReference(reference, query, rows, rows, own.length));
        const slots = own.map((one) => (sequence.blocks[Math.floor(one / blockLength)] ?? 0) * blockLength + (one % blockLength));
        // What stands behind them is no slot.
        chosen.push(...slots, ...Array.from({ length: shape.topK - own.length }, () => 0xffffff));
      }
    }
  });
  return { expected: Float64Array.from(expected), chosen };
}

/** Ascending. */
function choose(count: number, topK: number, next: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => ({ i, by: next() })).sort((a, b) => a.by - b.by);
  return order
    .slice(0, topK)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
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
