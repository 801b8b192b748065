/** The bar of a load: how far, and of weights how fast; nothing where nobody looks, or a machine reads. */
import { expect, test } from 'vitest';
import type { OpenProgress } from '../../../runtime/index.ts';
import { prepareEngine, readSettings } from '../../../server/cli/options.ts';
import { createProgress } from '../../../server/cli/progress.ts';
import { FakeWorld } from '../fake-world.ts';

const total = 4e9;

/** What is written while half of the weights come in a second, the rest at once, then half of the kernels. */
function show(isTTY: boolean): string[] {
  const written: string[] = [];
  let ms = 5000;
  const report = createProgress({ isTTY, write: (text: string) => written.push(text) } as never, () => ms);
  const steps: readonly OpenProgress[] = [
    { part: 'weights', done: 0, total },
    { part: 'weights', done: 2e9, total },
    { part: 'weights', done: total, total },
    { part: 'kernels', done: 5, total: 10 },
  ];
  for (const step of steps) {
    if (step.done === 2e9) ms += 1000;
    report(step);
  }
  return written;
}

test('weights have a rate, which ends where they do; kernels have none', () => {
  const [none, half, end, kernels] = show(true);
  expect(none).toBe(`\rLoading weights [${'.'.repeat(30)}] 0 %\x1b[K`);
  expect(half).toBe(`\rLoading weights [${'#'.repeat(15)}${'.'.repeat(15)}] 50 %, 2.00 GB/s\x1b[K`);
  expect(end).toBe('\r\x1b[K');
  expect(kernels).toBe(`\rCompiling kernels [${'#'.repeat(15)}${'.'.repeat(15)}] 50 %\x1b[K`);
});

test('nothing where no terminal is', () => {
  expect(show(false)).toEqual([]);
});

test('a log for machines has no bar in it, though it is a terminal', async () => {
  const world = new FakeWorld();
  world.becomeTerminal();
  const listen = async (log: string) => (await prepareEngine(readSettings({ log, model: '/m.gguf' }, world), world)).engine.onProgress;
  (await listen('human'))?.({ part: 'weights', done: 0, total });
  expect(world.complained).toContain('Loading weights');
  expect(await listen('json')).toBeUndefined();
});
