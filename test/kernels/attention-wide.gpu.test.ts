/**
 * Attention for GPUs, on CPU devices: right at the edges of its tiles of rows, keys and items, for batches of several
 * sequences, and the same bits whether a token is computed alone or in a tile.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attentionBound } from '../../kernels/attention.ref.ts';
import { attentionWide } from '../../kernels/attention_wide.ts';
import { attend } from '../attention-case.ts';
import { compare, Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const isFull = process.env['INWARD_FULL'] === '1';

/** The last has a form for one token alone. */
const cases = [
  { heads: 4, kvHeads: 2, headLength: 32, spans: [{ first: 0, end: 1 }] },
  { heads: 9, kvHeads: 3, headLength: 64, spans: [{ first: 0, end: 33 }] },
  {
    heads: 4,
    kvHeads: 4,
    headLength: 24,
    spans: [
      { first: 14, end: 19 },
      { first: 31, end: 32 },
      { first: 0, end: 17 },
      { first: 254, end: 257 },
    ],
  },
  { heads: 8, kvHeads: 1, headLength: 128, spans: [{ first: 250, end: 262 }] },
  { heads: 14, kvHeads: 2, headLength: 80, spans: [{ first: 40, end: 49 }] },
  { heads: 2, kvHeads: 1, headLength: 256, spans: [{ first: 3, end: 9 }] },
  { heads: 2, kvHeads: 1, headLength: 512, spans: [{ first: 511, end: 513 }] },
];

describe.each(['f32', 'f16'] as const)('over %s', (kv) => {
  it.each(cases.filter((_, i) => isFull || i === 2 || i === (kv === 'f16' ? 1 : 6)))(
    '$heads heads, $kvHeads KV heads of $headLength: $spans',
    async ({ spans, ...heads }) => {
      // GPUs read pools from buffers.
      const { got, expected } = await attend(gpu, { kernel: attentionWide, heads: { ...heads, kv }, place: 'buffer', spans });
      const width = heads.heads * heads.headLength;
      for (let at = 0; at < expected.length; at += width) {
        const { error, message } = compare(got.subarray(at, at + width), expected.subarray(at, at + width));
        expect(error, `token ${at / width}: ${message}`).toBeLessThan(attentionBound);
      }
    },
  );
});
