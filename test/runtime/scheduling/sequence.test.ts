import { expect, test } from 'vitest';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';

const sink = { event: () => undefined, fail: () => undefined };
const promptIds = Uint32Array.of(5, 6, 7);

test('takes as many tokens as the context has room for, and a copy of the prompt', () => {
  const sequence = new Sequence({ promptIds, maxTokens: 1_000_000_000 }, 8, sink);
  expect([sequence.maxTokens, sequence.ids.length, sequence.pending, sequence.generated]).toEqual([5, 8, 3, 0]);
  sequence.ids.fill(0);
  expect([...promptIds]).toEqual([5, 6, 7]);
});

test('greedy unless said otherwise; a seed of its own when none is given', () => {
  const seeds = Array.from({ length: 8 }, () => new Sequence({ promptIds, maxTokens: 1 }, 8, sink).sampling);
  expect(seeds.every(({ temperature, topK, topP }) => temperature === 0 && topK === 0 && topP === 1)).toBe(true);
  expect(new Set(seeds.map(({ seed }) => seed)).size).toBeGreaterThan(1);
  expect(new Sequence({ promptIds, maxTokens: 1, sampling: { seed: 0 } }, 8, sink).sampling.seed).toBe(0);
});

test('zero overwrites every id', () => {
  const sequence = new Sequence({ promptIds, maxTokens: 2 }, 8, sink);
  sequence.ids[sequence.length++] = 9;
  sequence.zero();
  expect([...sequence.ids]).toEqual([0, 0, 0, 0, 0]);
});
