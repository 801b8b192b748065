/** Attention over KV pools of every format: heads of many kinds, items, options, crafted rows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attentionBound } from '../../kernels/attention.ref.ts';
import { attention } from '../../kernels/attention.ts';
import { type AttentionCase, attend, type Heads, randomData } from '../attention-case.ts';
import { compare, Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const isFull = process.env['INWARD_FULL'] === '1';
const largeHeads = [
  { heads: 5, kvHeads: 1, headLength: 128, positions: 300 },
  { heads: 14, kvHeads: 2, headLength: 64, positions: 40 },
  { heads: 2, kvHeads: 1, headLength: 256, positions: 9 },
  { heads: 1, kvHeads: 1, headLength: 512, positions: 600 },
  { heads: 3, kvHeads: 3, headLength: 96, positions: 1100 },
];

async function check(heads: Heads, spans: AttentionCase['spans'], more: Partial<AttentionCase> = {}): Promise<void> {
  const { got, expected } = await attend(gpu, { kernel: attention, heads, place: gpu.open.place, spans, ...more });
  const { error, message } = compare(got, expected);
  expect(error, message).toBeLessThan(attentionBound);
}

describe.each(['f32', 'f16', 'q8'] as const)('attention over %s', (kv) => {
  it.each([
    { heads: 9, kvHeads: 3, headLength: 64, positions: 33 },
    { heads: 2, kvHeads: 2, headLength: 16, positions: 19 },
    { heads: 2, kvHeads: 1, headLength: 72, positions: 17 },
    ...(isFull || kv === 'f16' ? largeHeads : []),
  ])('$heads heads, $kvHeads KV heads of $headLength, $positions positions', async ({ positions, ...heads }) => {
    await check({ ...heads, kv }, [{ first: positions - 1, end: positions }]);
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
    await check(heads, spans, { sinks });
  });

  it('equal scores, one huge score, keys and values of zeros', async () => {
    const heads: Heads = { heads: 4, kvHeads: 2, headLength: 32, kv };
    const data = randomData(heads, spans);
    data.keys[0]?.fill(0.5);
    data.keys[1]
      ?.fill(0)
      .subarray(100 * 64, 101 * 64)
      .fill(3e4);
    data.values[2]?.fill(0);
    await check(heads, spans, { data });
  });

  // Small, because lavapipe takes long to compile loads from buffers.
  it('where the device does not keep its pools', async () => {
    const heads: Heads = { heads: 3, kvHeads: 1, headLength: 16, kv };
    await check(heads, spans, { place: gpu.open.place === 'buffer' ? 'texture' : 'buffer' });
  });
});
