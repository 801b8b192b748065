/**
 * Attention for GPUs, on CPU devices: what the narrow kernel proves, and the same bits whether a token is computed alone or in a tile.
 */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { attentionBound } from '../../kernels/attention.ref.ts';
import { attentionWide } from '../../kernels/attention_wide.ts';
import { attentionCases, checkAttention } from '../attention-case.ts';
import { Gpu } from '../gpu.ts';
import { sampleCases } from '../sample.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const isFull = process.env['INWARD_FULL'] === '1';
/** What runs by default: two forms of each take a CPU device seconds to compile, and SwiftShader half a minute to run. */
const sampled = {
  f32: ['4 heads, 4 KV heads of 24', '2 heads, 1 KV heads of 512', '6 heads, 2 latent rows of 40'],
  f16: ['9 heads, 3 KV heads of 64', 'a window of 17', 'crafted rows', '20 heads, 1 latent rows of 152', '13 chosen of latent rows of 40'],
  q8: ['2 heads, 1 KV heads of 72', 'all options', 'elsewhere'],
} as const;

describe.each(['f32', 'f16', 'q8'] as const)('over %s', (kv) => {
  const names: readonly string[] = sampled[kv];
  const cases = attentionCases(kv).filter(({ name }) => isFull || names.includes(name));
  it.each(sampleCases(`wide attention over ${kv}`, cases, 2))('$name', { timeout: 400_000 }, async (one) => {
    // GPUs read pools from buffers.
    await checkAttention(gpu, one, kv, attentionBound, { kernel: attentionWide, place: 'buffer' });
  });
});
