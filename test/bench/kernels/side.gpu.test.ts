/** Every side of the kernel comparison on a small chain: that it computes the product (else it throws) and gives rates. */
import { expect, test } from 'vitest';
import { hasSide, measureSide, sideNames, tokenCounts } from '../../../bench/kernels/side.ts';
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

test.for(sideNames)('%s', { timeout: 900_000 }, async (name, context) => {
  context.skip(name === 'llamaVulkan' && process.env['INWARD_FULL'] !== '1', 'the driver compiles its kernels for minutes: npm test -- --full');
  context.skip(!hasSide(name), 'the peers are not installed: npm run bench -- --install-peers');
  const samples = await measureSide(name, { device: chooseDriver(testDevice()).name, threadCount: 2, plans: [plan] });
  expect(samples.map(({ chain, tokens }) => [chain, tokens])).toEqual(tokenCounts.map((tokens) => ['small', tokens]));
  for (const { rate } of samples) expect(rate).toBeGreaterThan(0);
});

test('a device that is not there is said', async () => {
  await expect(measureSide('ours', { device: 'none' as 'gpu', threadCount: 1, plans: [plan] })).rejects.toThrow(/none/);
});
