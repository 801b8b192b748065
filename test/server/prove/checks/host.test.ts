/** Claims about core files, swap and flags, from what the kernel says. */
import { expect, test } from 'vitest';
import { judgeCore } from '../../../../server/prove/checks/core.ts';
import { judgeDevice } from '../../../../server/prove/checks/device.ts';
import { judgeFlags } from '../../../../server/prove/checks/flags.ts';
import { judgeMemory } from '../../../../server/prove/checks/memory.ts';
import { judgeSwap } from '../../../../server/prove/checks/swap.ts';
import type { Crash } from '../../../../server/prove/crash.ts';
import type { ProcessFacts } from '../../../../server/prove/processes.ts';

const process: ProcessFacts = {
  pid: 7,
  kind: 'engine',
  coreLimit: '0',
  coreFilter: 0x33,
  swapped: 0,
  leaks: [],
  swap: { state: 'held', reason: 'no-swap' },
};
const crash: Crash = { pattern: 'core', crashed: ['server', 'text', 'engine'], files: [], inspected: [] };

test('core files: a limit of 0, or a filter of 0 where a program takes them', () => {
  const resultOf = (changes: Partial<ProcessFacts>, other: Partial<Crash> = {}): string =>
    judgeCore([{ ...process, ...changes }], { ...crash, ...other }).result;
  expect(resultOf({})).toBe('passed');
  expect(resultOf({ coreLimit: 'unlimited' })).toBe('failed');
  expect(resultOf({ coreLimit: 'unlimited', coreFilter: 0 })).toBe('passed');
  // core(5): a program gets them whatever the limit says.
  expect(resultOf({}, { pattern: '|/usr/lib/systemd/systemd-coredump %P' })).toBe('failed');
  expect(resultOf({ coreFilter: 0 }, { pattern: '|/usr/lib/systemd/systemd-coredump %P' })).toBe('passed');
  expect(resultOf({}, { files: ['core.1'] })).toBe('failed');
  expect(resultOf({}, { crashed: [] })).toBe('not proven');
  expect(resultOf({ coreLimit: 'unlimited' }, { crashed: [] })).toBe('failed');
});

test('swap and hibernation: none, forbidden, possible, used', () => {
  const none = { state: 'held', reason: 'no-hibernation' } as const;
  const on = { ...process, swap: { state: 'not available', reason: 'swap-on' } } as const;
  expect(judgeSwap([process], none).result).toBe('passed');
  expect(judgeSwap([{ ...process, swap: { state: 'held', reason: 'swap-forbidden' } }], none)).toMatchObject({ result: 'passed', places: [] });
  expect(judgeSwap([process, on], none)).toMatchObject({ result: 'not proven', told: expect.stringContaining('swap-on') });
  expect(judgeSwap([process], { state: 'not available', reason: 'hibernation-on' })).toMatchObject({
    result: 'not proven',
    told: expect.stringContaining('hibernation-on'),
  });
  expect(judgeSwap([], none).result).toBe('not proven');
  expect(judgeSwap([{ ...on, swapped: 4096 }], none)).toMatchObject({
    result: 'failed',
    places: [{ where: '4096 bytes are swapped out', process: 'engine' }],
  });
});

test('flags, variables and an inspector', () => {
  expect(judgeFlags([process], crash).result).toBe('passed');
  expect(judgeFlags([{ ...process, leaks: ['--inspect', 'variable NODE_DEBUG'] }], crash).places).toEqual([
    { where: '--inspect', process: 'engine', count: 1 },
    { where: 'variable NODE_DEBUG', process: 'engine', count: 1 },
  ]);
  expect(judgeFlags([process], { ...crash, inspected: ['server'] }).result).toBe('failed');
  expect(judgeFlags([process], { ...crash, crashed: [] }).result).toBe('not proven');
});

test('the device: what the server logs at its end, if it came to it', () => {
  const line = (zeroed: boolean): Buffer => Buffer.from(`{"event":"stopped"}\n{"level":"warn","event":"model_unloaded","zeroed":${zeroed}}\n`);
  expect(judgeDevice(line(true), true).result).toBe('passed');
  expect(judgeDevice(line(false), true).result).toBe('failed');
  expect(judgeDevice(line(true), false).result).toBe('not proven');
  expect(judgeDevice(Buffer.from('{"event":"stopped"}\n'), true).result).toBe('not proven');
});

test('memory: nothing left, something left, not readable', () => {
  const row = { pid: 1, kind: 'server', count: 0, kinds: {}, size: 4096 } as const;
  const judge = (...processes: Parameters<typeof judgeMemory>[0]['processes']) => judgeMemory({ processes, waitedMs: 1000, first: 3 });
  expect(judge(row).result).toBe('passed');
  expect(judge(row, { ...row, kind: 'text', count: 2, kinds: { heap: 2 } })).toMatchObject({
    result: 'failed',
    places: [{ where: 'memory (heap)', process: 'text', count: 2 }],
  });
  expect(judge(row, { ...row, count: undefined, size: 0 }).result).toBe('not proven');
  expect(judge().result).toBe('not proven');
});
