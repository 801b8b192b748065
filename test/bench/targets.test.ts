import { expect, test } from 'vitest';
import { type Facts, judgeTargets, targetNames } from '../../bench/targets.ts';
import { statistic } from './records.ts';

const ratio = (decode: number, prefill: number) => ({ against: 'a peer', decode: statistic(decode), prefill: statistic(prefill) });

/** Every value at its limit: a model of 100 MB may take 600 MB. */
const atLimit: Facts = {
  device: 'lavapipe',
  vulkan: ratio(6, 3),
  cpu: ratio(0.25, 0.2),
  streams: { sequences: 8, ratio: statistic(2.5) },
  decodePerSecond: 3,
  coldStartMs: 10_000,
  residentBytes: 600e6,
  modelBytes: 100e6,
};

const verdicts = (facts: Facts) => Object.fromEntries(judgeTargets(facts).map(({ name, isMet }) => [name, isMet]));

test('lavapipe: met at the limit; the target of SwiftShader is not judged', () => {
  expect(verdicts(atLimit)).toEqual({ ...Object.fromEntries(targetNames.map((name) => [name, true])), decodeSwiftshader: null });
});

test('missed just beyond it', () => {
  const beyond = {
    ...atLimit,
    vulkan: ratio(5.99, 2.99),
    cpu: ratio(0.249, 0.199),
    streams: { sequences: 8, ratio: statistic(2.49) },
    coldStartMs: 10_001,
    residentBytes: 600e6 + 1,
  };
  expect(verdicts(beyond)).toEqual({ ...Object.fromEntries(targetNames.map((name) => [name, false])), decodeSwiftshader: null });
});

test('SwiftShader: its own speed, cold start and memory; the ratios are for lavapipe', () => {
  const notJudged = { decodeVulkan: null, prefillVulkan: null, decodeCpu: null, prefillCpu: null, streams: null };
  expect(verdicts({ ...atLimit, device: 'swiftshader' })).toEqual({ ...notJudged, decodeSwiftshader: true, coldStart: true, resident: true });
  expect(verdicts({ ...atLimit, device: 'swiftshader', decodePerSecond: 2.99 })['decodeSwiftshader']).toBe(false);
});

test('what was not measured is not judged: no peer, another count of streams, no cold start', () => {
  const little = { ...atLimit, vulkan: undefined, cpu: undefined, streams: { sequences: 7, ratio: statistic(9) }, coldStartMs: undefined };
  const none = Object.fromEntries(targetNames.map((name) => [name, null]));
  expect(verdicts(little)).toEqual({ ...none, resident: true });
});

test('limits and findings are in the unit of the target', () => {
  const list = judgeTargets(atLimit);
  expect(list.find(({ name }) => name === 'coldStart')).toEqual({ name: 'coldStart', limit: 10, found: 10, isMet: true });
  expect(list.find(({ name }) => name === 'resident')).toEqual({ name: 'resident', limit: 600, found: 600, isMet: true });
});
