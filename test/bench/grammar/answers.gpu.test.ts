/** Answers of a tiny model with random weights under random schemas: whatever is whole, ajv accepts. The real model: `npm run bench:grammar -- --answers 500`. */
import { expect, test } from 'vitest';
import { judgeAnswers } from '../../../bench/grammar/answers.ts';
import { chooseDriver } from '../../../runtime/drivers.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';

test('every whole answer is valid', async () => {
  const { modelPath } = readOracle('gguf_llama_f32');
  const count = process.env['INWARD_FULL'] === undefined ? 10 : 100;
  const record = await judgeAnswers({ modelPath, device: chooseDriver(testDevice()).name, count, seed: 3, longest: 50 });
  expect(record).toMatchObject({ rejected: 0, stopped: 0 });
  expect(record.valid).toBeGreaterThanOrEqual(count); // those that ran when the last wanted one came are judged too
  expect(record.valid + record.cut).toBe(record.answers);
});
