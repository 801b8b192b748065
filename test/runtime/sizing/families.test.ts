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

const pathOf = (name: string): string => join(import.meta.dirname, `../../../models/releases/${name}.json`);
const everything = { name: 'memory', label: 'any', memory: Number.POSITIVE_INFINITY };

/** Bytes in each place, but for what guesses ahead. */
function sumPlaces({ weights }: ModelBill): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { place, size } of weights) if (place !== 'prediction') sums.set(String(place), (sums.get(String(place)) ?? 0) + size);
  return new Map([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

test.for([
  ['deepseek-v4-flash', 'deepseek_v4'],
  ['glm-5.2', 'glm_moe_dsa'],
  ...(process.env['INWARD_FULL'] === undefined ? [] : ([['deepseek-v4-pro', 'deepseek_v4']] as const)),
] as const)('%s', ([name, family], { skip }) => {
  skip(!existsSync(pathOf(name)) || families.every((known) => known.name !== family), `the engine has no family ${family} yet`);
  using checkpoint = openShape(pathOf(name), 'BF16');
  const [bill, own] = [findBill(name, 'f16'), billCheckpoint(checkpoint, 'f16', true)];
  if (bill === undefined) throw new Error('no shape');
  expect(sumPlaces(bill)).toEqual(sumPlaces(own));
  expect([bill.streamSize, bill.chosen, bill.shape.contextLength]).toEqual([own.streamSize, own.chosen, own.shape.contextLength]);
  const options = { contextLength: 131_072, maxSequences: 16 };
  const plan = createPlanner(checkpoint)({ ...options, kvTokens: 16 * 131_072 });
  const { cacheSize, stages, canRun } = fitStages(name, options, everything, 1);
  expect({ cacheSize, scratchSize: stages[0]?.scratchSize, canRun }).toEqual({
    cacheSize: plan.kvSize + plan.stateSize,
    scratchSize: plan.scratchSize,
    canRun: true,
  });
});
