/** Attention for CPU devices over KV pools of every format: heads of many kinds, items, options, crafted rows. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { attentionBound } from '../../kernels/attention.ref.ts';
import { attention } from '../../kernels/attention.ts';
import { attentionCases, checkAttention } from '../attention-case.ts';
import { Gpu } from '../gpu.ts';
import { sampleCases } from '../sample.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const isFull = process.env['INWARD_FULL'] === '1';
const isLarge = (name: string): boolean => / of (80|96|128|152|256|512|576)$/.test(name);

describe.each(['f32', 'f16', 'q8'] as const)('attention over %s', (kv) => {
  const cases = attentionCases(kv).filter(({ name }) => isFull || kv === 'f16' || !isLarge(name));
  it.each(sampleCases(`attention over ${kv}`, cases, Math.ceil(cases.length / 2)))('$name', async (one) => {
    await checkAttention(gpu, one, kv, attentionBound, { kernel: attention, place: gpu.open.place });
  });
});
