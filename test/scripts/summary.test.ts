import { expect, test } from 'vitest';
import { summarize, type TestModule } from '../../scripts/test/summary.ts';

type Result = readonly [state: string, note?: string];
const module = (name: string, project: string, results: readonly Result[], errors = 0): TestModule => ({
  relativeModuleId: name,
  project: { name: project },
  errors: () => new Array<unknown>(errors).fill('error'),
  children: { allTests: () => results.map(([state, note], index) => ({ fullName: `t${index}`, result: () => ({ state, note }) })) },
});
const last = (modules: readonly TestModule[], errorCount = 0): [string | undefined, boolean] => {
  const { lines, isGood } = summarize(modules, errorCount);
  return [lines.at(-1), isGood];
};

test('counts, with the skipped ones only if there are some', () => {
  expect(last([module('a', 'unit', [['passed'], ['passed']]), module('b', 'gpu', [['passed']])])).toEqual(['3 passed, 0 failed', true]);
  expect(last([module('a', 'unit', [['passed'], ['failed'], ['skipped', 'no data']])])).toEqual(['1 passed, 1 failed, 1 skipped', false]);
});

test('every skipped test is named with its reason', () => {
  const { lines } = summarize([module('a.test.ts', 'unit', [['passed'], ['skipped', 'no data'], ['skipped']])], 0);
  expect(lines.slice(0, 2)).toEqual(['skipped: a.test.ts > t1: no data', 'skipped: a.test.ts > t2: NO REASON GIVEN']);
});

test('bad although no test failed: nothing ran, an error outside, a module that does not load, every device test skipped', () => {
  expect(last([])).toEqual(['0 passed, 0 failed', false]);
  expect(last([module('a', 'unit', [['passed']])], 1)).toEqual(['1 passed, 0 failed', false]);
  expect(last([module('a', 'unit', [['passed']]), module('b', 'unit', [], 1)])).toEqual(['1 passed, 1 failed', false]);
  expect(last([module('a', 'unit', [['passed']]), module('b', 'gpu', [['skipped', 'no device']])])).toEqual(['1 passed, 0 failed, 1 skipped', false]);
  const nullBackend = module('test/kernels/validate.test.ts', 'gpu', [['passed']]);
  expect(last([nullBackend, module('b', 'gpu', [['skipped', 'no device']])])).toEqual(['1 passed, 0 failed, 1 skipped', false]);
  expect(last([nullBackend, module('b', 'gpu', [['passed'], ['skipped', 'no f16']])])).toEqual(['2 passed, 0 failed, 1 skipped', true]);
});
