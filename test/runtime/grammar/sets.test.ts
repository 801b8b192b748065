/** Public sets: no invalid instance may ever be taken, and no more may be missed or refused than docs/grammar.md says. */
import { expect, test } from 'vitest';
import { createReach, judgeSchema } from '../../../bench/grammar/reach.ts';
import { judgeParsing, judgeSuite, readCases } from '../../../bench/grammar/sets.ts';
import { fixturePath } from '../../test-data.ts';

const folder = fixturePath('json-schema');

test('a sample of MaskBench', () => {
  const reach = createReach();
  for (const each of readCases(`${folder}/maskbench-sample.jsonl.gz`)) judgeSchema(reach, each);
  expect(reach).toMatchObject({ schemas: 120, wrong: 0, missed: 0 });
  expect(reach.reached).toBeGreaterThanOrEqual(114);
});

// Draft 7 has nearly the same tests, so it is read by the long suite only.
const drafts = [['draft2020-12', 0.8, 83, 29] as const, ...(process.env['INWARD_FULL'] === undefined ? [] : [['draft7', 0.89, 29, 26] as const])];
test.each(drafts)('JSON-Schema-Test-Suite of %s', (draft, least, mostRefused, mostMissed) => {
  const { schemas, reached, refused, missed, wrong } = judgeSuite(folder, draft);
  expect(wrong).toBe(0);
  expect(missed).toBeLessThanOrEqual(mostMissed);
  expect(refused).toBeLessThanOrEqual(mostRefused);
  expect(reached / schemas).toBeGreaterThan(least);
});

test('what RFC 8259 says of 283 texts', () => {
  expect(judgeParsing(folder)).toEqual({ count: 283, wrong: [] });
});
