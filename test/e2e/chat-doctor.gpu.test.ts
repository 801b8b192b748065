/** `inward doctor` and `inward chat` on this machine: sizes and device as an engine then has them, turns of a real model. */
import { expect, test } from 'vitest';
import { openEngine } from '../../runtime/index.ts';
import type { DoctorReport } from '../../server/cli/doctor/report.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { finish } from './command.ts';

const { modelPath } = readOracle('gguf_llama_q4_1');
const device = testDevice();

test('device, adapter and sizes are those of an engine that is opened', async () => {
  const args = ['--model', modelPath, '--device', device, '--context', '100', '--kv-tokens', '300'];
  const { code, out, err } = await finish(['doctor', '--json', ...args]);
  expect([code, err]).toEqual([0, '']);
  const report = JSON.parse(out) as DoctorReport;
  const chosen = report.devices.find(({ state }) => state === 'chosen');
  const plan = report.model?.plan;
  await using engine = await openEngine({ modelPath, device, contextLength: 100, kvTokens: 300 });
  const { info } = engine;
  expect([chosen?.name, chosen?.facts?.adapter, chosen?.facts?.subgroupSize]).toEqual([info.device, info.adapter, info.subgroupSize]);
  expect(plan).toMatchObject({
    family: info.family,
    parameterCount: info.parameterCount,
    contextLength: info.contextLength,
    kvSize: info.kvBytes,
    fits: 'yes',
  });
  // Buffers are padded: scales and offsets start at a multiple of 256 bytes, in some 20 matrices.
  const padding = info.weightBytes - (plan?.weightSize ?? 0);
  expect(padding).toBeGreaterThanOrEqual(0);
  expect(padding).toBeLessThan(20 * 256);
  expect(report.model?.hasChatTemplate).toBe(true);
});

test('inward chat through a pipe: one process, two turns, the same with the same seed', async () => {
  const args = ['chat', '--model', modelPath, '--device', device, '--seed', '5', '--max-tokens', '8', '--context', '200'];
  const first = await finish(args, 'The patient takes 20 mg\nAnd now?\n/stats\n');
  expect([first.code, first.out.length > 8]).toEqual([0, true]);
  expect(first.err).toContain('turns kept: 2, answers given: 2');
  expect(first.err).not.toMatch(/patient|now\?/);
  const second = await finish(args, 'The patient takes 20 mg\nAnd now?\n');
  expect([second.code, second.out]).toEqual([0, first.out]);
});
