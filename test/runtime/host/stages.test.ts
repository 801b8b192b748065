/** Processes of stages live and end together. They are fakes; the parent's side is all real. */
import type { ChildProcess } from 'node:child_process';
import { expect, test } from 'vitest';
import { findDrivers } from '../../../runtime/drivers.ts';
import { launchEngine } from '../../../runtime/host/launcher.ts';
import type { RestartPolicy } from '../../../runtime/host/supervisor.ts';
import { expected, ModelFile, openFake, program, start, until } from './fake.ts';

/** Of three stages each; which of their pipes lead where is no matter to fakes. */
function launchFakes(): { launch: RestartPolicy['launch']; groups: ChildProcess[][] } {
  const groups: ChildProcess[][] = [];
  return {
    groups,
    launch: (plain, driver) => {
      const [first, ...stages] = [0, 1, 2].map(() => launchEngine(plain, driver, program));
      if (first === undefined) throw new Error('three of them');
      groups.push([first, ...stages].map(({ process }) => process));
      return { ...first, stages };
    },
  };
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

test.for([
  [1, 'stage_lost'],
  [0, 'engine_stopped'],
] as const)('process %i of three is killed: requests that had begun end, all are started anew (%s)', async ([index, code], { skip }) => {
  skip(findDrivers()[0]?.name === 'gpu', 'fakes open no GPU, and stages must');
  using model = new ModelFile();
  const { launch, groups } = launchFakes();
  await using fake = await openFake(model, {}, { launch });
  const running = start(fake.engine, [1], 1_000_000);
  await running.begun;
  const waiting = [2, 3].map((id) => start(fake.engine, [id], 20));
  groups[0]?.[index]?.kill('SIGKILL');
  expect((await running.outcome).code).toBe('engine_restarted');
  for (const request of waiting) expect((await request.outcome).code).toMatch(/^(?:end|engine_restarted)$/);
  const after = start(fake.engine, [4], 5);
  expect(await after.outcome).toEqual(expected(after));
  expect(fake.told).toEqual([
    { code, count: 0, isReady: false },
    { code, count: 1, isReady: true },
  ]);
  await until(() => groups[0]?.every(hasEnded) === true, 'the others of the first group are gone');
  expect([groups.length, groups[1]?.some(hasEnded)]).toEqual([2, false]);
  await fake.engine[Symbol.asyncDispose]();
  expect(groups[1]?.every(hasEnded)).toBe(true);
});
