/**
 * Shapes that are written down tensor by tensor, and what the engine's families ask for: two descriptions of the same releases, to the byte. Each begins to
 * count once the engine has the family and models/releases the configuration.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { families } from '../../../models/index.ts';
import { openShape } from '../../../runtime/checkpoint/shape.ts';
import { fitStages } from '../../../runtime/fit.ts';
import { createPlanner } from '../../../runtime/plan.ts';
import { billCheckpoint } from '../../../runtime/sizing/bill.ts';
import { findBill } from '../../../runtime/sizing/releases.ts';
import type { ModelBill } from '../../../runtime/sizing/types.ts';
import { sampleCases } from '../../sample.ts';

const pathOf = (name: string): string => join(import.meta.dirname, `../../../models/releases/${name}.json`);
const everything = { name: 'memory', label: 'any', memory: Number.POSITIVE_INFINITY };

/** Bytes in each place, but for what guesses ahead. */
function sumPlaces({ weights }: ModelBill): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { place, size } of weights) if (place !== 'prediction') sums.set(String(place), (sums.get(String(place)) ?? 0) + size);
  return new Map([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

test.for([
  ...sampleCases('who guesses', ['text', 'mtp'] as const, 1).map((draft) => ['deepseek-v4-flash', 'deepseek_v4', draft] as const),
  ['glm-5.2', 'glm_moe_dsa', 'text'],
  ...(process.env['INWARD_FULL'] === undefined ? [] : ([['deepseek-v4-pro', 'deepseek_v4', 'mtp']] as const)),
] as const)('%s (%s), guesses from %s', ([name, family, draft], { skip }) => {
  skip(!existsSync(pathOf(name)) || families.every((known) => known.name !== family), `the engine has no family ${family} yet`);
  using checkpoint = openShape(pathOf(name), 'BF16', draft === 'mtp');
  const [bill, own] = [findBill(name, 'f16', draft === 'mtp'), billCheckpoint(checkpoint, 'f16', true, draft)];
  if (bill === undefined) throw new Error('no shape');
  expect(sumPlaces(bill)).toEqual(sumPlaces(own));
  expect([bill.streamSize, bill.chosen, bill.shape.contextLength]).toEqual([own.streamSize, own.chosen, own.shape.contextLength]);
  const options = { contextLength: 131_072, maxSequences: 16, draft };
  const plan = createPlanner(checkpoint, draft)({ ...options, kvTokens: 16 * 131_072 });
  const { cacheSize, stages, canRun } = fitStages(name, options, everything, 1);
  expect({ cacheSize, scratchSize: stages[0]?.scratchSize, canRun }).toEqual({
    cacheSize: plan.kvSize + plan.stateSize,
    scratchSize: plan.scratchSize,
    canRun: true,
  });
});

test('a block for multi-token prediction is in the plan where it is asked for: its weights, and a window for each sequence', () => {
  const [plain, foreseeing] = [false, true].map((foresees) => findBill('deepseek-v4-flash', 'f16', foresees));
  const placed = (bill: ModelBill | undefined): number => [...sumPlaces(bill as ModelBill).values()].reduce((sum, size) => sum + size, 0);
  const left = plain?.weights.reduce((sum, { place, size }) => (place === 'prediction' ? sum + size : sum), 0);
  expect(placed(foreseeing) - placed(plain)).toBe(left);
  expect(left).toBeGreaterThan(6e9 / 2);
  expect(foreseeing?.caches.slice(43)).toEqual([[{ kind: 'window', entrySize: 512 * 4, count: 128 }]]);
  using glm = openShape(pathOf('glm-5.2'), 'BF16', true);
  expect(() => createPlanner(glm, 'mtp')).toThrow(/glm_moe_dsa/);
});
