/** Every side of the kernel comparison on a small chain: that it computes the product (else it throws) and gives rates. */
import { expect, test } from 'vitest';
import { measureSide, type SideName, tokenCounts } from '../../../bench/kernels/side.ts';
import { hasPeer } from '../../../bench/peer.ts';
import { chooseDriver } from '../../../runtime/drivers.ts';
import { testDevice } from '../../gpu.ts';

/** Rows of no tile, one of them in the middle. */
const plan = {
  name: 'small',
  shapes: [
    { rows: 96, columns: 128 },
    { rows: 160, columns: 96 },
    { rows: 128, columns: 160 },
  ],
  turns: 2,
};

test.for<SideName>(['ours', 'ortWebgpu', 'ortCpu'])('%s', async (name, context) => {
  context.skip(name !== 'ours' && !hasPeer('ort'), 'onnxruntime is not installed: npm run bench -- --install-peers');
  const samples = await measureSide(name, { device: chooseDriver(testDevice()).name, threadCount: 2, plans: [plan] });
  expect(samples.map(({ chain, tokens }) => [chain, tokens])).toEqual(tokenCounts.map((tokens) => ['small', tokens]));
  for (const { rate } of samples) expect(rate).toBeGreaterThan(0);
});

test('a device that is not there is said', async () => {
  await expect(measureSide('ours', { device: 'none' as 'gpu', threadCount: 1, plans: [plan] })).rejects.toThrow(/none/);
});
