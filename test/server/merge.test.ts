import fc from 'fast-check';
import { expect, test } from 'vitest';
import { merge } from '../../server/openai/merge.ts';
import { collect } from './help.ts';

const never = new AbortController().signal;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Counts from 0 up, each number after as many turns of the event loop as `delays` says. */
async function* count(delays: readonly number[], onPull: () => void = () => undefined): AsyncGenerator<number, void, undefined> {
  for (const [value, turns] of delays.entries()) {
    onPull();
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    yield value;
  }
}

test('every item once, in its source’s order, whatever the pace of sources and reader', async () => {
  const delays = fc.array(fc.nat(3), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(delays, { maxLength: 6 }),
      fc.integer({ min: 1, max: 7 }),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
      async (sources, limit, reader) => {
        const seen: number[][] = sources.map(() => []);
        let turn = 0;
        for await (const { index, item } of merge(() => sources.map((source) => count(source)), limit, never)) {
          seen[index]?.push(item);
          for (let left = reader[turn++ % reader.length] ?? 0; left > 0; left--) await new Promise(setImmediate);
        }
        expect(seen).toEqual(sources.map((source) => [...source.keys()]));
      },
    ),
    { numRuns: 200, seed: 3 },
  );
});

test.each([2, 5, 9])('sources run side by side, up to %i', async (limit) => {
  let running = 0;
  let peak = 0;
  async function* one(): AsyncGenerator<number, void, undefined> {
    peak = Math.max(peak, ++running);
    await pause(5);
    yield 1;
    running--;
  }
  expect(await collect(merge(() => Array.from({ length: 6 }, one), limit, never))).toHaveLength(6);
  expect(peak).toBe(Math.min(limit, 6));
});

test('a reader that stops taking stops every source after one more item', async () => {
  const pulls = [0, 0, 0];
  const merged = merge(() => pulls.map((_, index) => count(Array(100).fill(0), () => void (pulls[index] = (pulls[index] ?? 0) + 1))), 3, never);
  for (let taken = 0; taken < 9; taken++) await merged.next();
  await pause(10);
  // What was taken, and one that waits for each source.
  expect(pulls.reduce((a, b) => a + b)).toBeLessThanOrEqual(9 + 3);
  expect(pulls.every((pulled) => pulled >= 3)).toBe(true);
  await merged.return();
});

test('the first failure ends all sources, before what has arrived is given', async () => {
  const ends: string[] = [];
  async function* endless(name: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    try {
      for (;;) {
        yield name;
        await new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          setTimeout(resolve, 1);
        });
      }
    } finally {
      ends.push(name);
    }
  }
  // biome-ignore lint/correctness/useYield: it fails before it could
  async function* broken(): AsyncGenerator<string, void, undefined> {
    throw new Error('refused');
  }
  const merged = merge((signal) => [endless('a', signal), broken(), endless('b', signal)], 3, never);
  await expect(merged.next()).rejects.toThrow('refused');
  expect(ends.sort()).toEqual(['a', 'b']);
  expect(await merged.next()).toEqual({ done: true, value: undefined });
});

test('an abort from outside and a reader that leaves end the sources', async () => {
  const outside = new AbortController();
  const signals: AbortSignal[] = [];
  const open = (signal: AbortSignal) => {
    signals.push(signal);
    return [count(Array(100).fill(1))];
  };
  for await (const _ of merge(open, 1, outside.signal)) break;
  expect(signals[0]?.aborted).toBe(true);
  expect(outside.signal.aborted).toBe(false);
  const merged = merge(open, 1, outside.signal);
  await merged.next();
  outside.abort();
  expect(signals[1]?.aborted).toBe(true);
  await merged.return();
});
