/** The device's speed, learned from made-up devices of which it is known. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pace } from '../../../runtime/scheduling/pace.ts';

interface Device {
  readonly fixed: number;
  readonly prompt: number;
  readonly choice: number;
}

const device: Device = { fixed: 8, prompt: 0.25, choice: 1 };

/** Numbers from 0 to 1 that a seed decides (Marsaglia's xorshift32). */
function randoms(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const msOf = ({ fixed, prompt, choice }: Device, prompts: number, choices: number): number => fixed + prompt * prompts + choice * choices;

/** Steps as a server has them: choices of up to eight sequences, in half of them prompts too; times are off by up to `noise` of themselves. */
function runSteps(pace: Pace, of: Device, count: number, random: () => number, noise = 0.1): void {
  for (let step = 0; step < count; step++) {
    const choices = 1 + Math.floor(8 * random());
    const prompts = random() < 0.5 ? 0 : Math.floor(120 * random());
    pace.observe(prompts, choices, msOf(of, prompts, choices) * (1 + noise * (2 * random() - 1)));
  }
}

/** Largest relative error of what a step takes. */
function errorOf(pace: Pace, of: Device): number {
  const steps = [1, 4, 8].flatMap((choices) => [0, 32, 120].map((prompts) => [prompts, choices] as const));
  return Math.max(...steps.map(([prompts, choices]) => Math.abs(pace.stepMs(prompts, choices) / msOf(of, prompts, choices) - 1)));
}

const devices: readonly Device[] = [
  device,
  { fixed: 30, prompt: 6, choice: 4 },
  { fixed: 0.5, prompt: 0.01, choice: 0.05 },
  { fixed: 100, prompt: 1, choice: 0.5 },
];

describe.each(devices)('a device of $fixed ms a step, $prompt a prompt token, $choice a choice', (of) => {
  test('is known to within a tenth after a hundred steps', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pace = new Pace();
      runSteps(pace, of, 100, randoms(seed));
      expect(pace.isKnown).toBe(true);
      expect(errorOf(pace, of)).toBeLessThan(0.1);
    }
  });

  test('that becomes three times slower, or faster, is known again after three hundred', () => {
    for (const factor of [3, 1 / 3])
      for (let seed = 1; seed <= 10; seed++) {
        const pace = new Pace();
        const random = randoms(seed);
        runSteps(pace, of, 200, random);
        const changed = { fixed: of.fixed * factor, prompt: of.prompt * factor, choice: of.choice * factor };
        runSteps(pace, changed, 300, random);
        expect(errorOf(pace, changed)).toBeLessThan(0.2);
      }
  });

  test('one stalled step of a hundred times the time moves the room for prompts by less than a fifth', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pace = new Pace();
      const random = randoms(seed);
      runSteps(pace, of, 200, random);
      const before = [1, 8].map((choices) => pace.room(choices, choices, 2.5));
      const prompts = Math.floor(120 * random());
      pace.observe(prompts, 4, 100 * msOf(of, prompts, 4));
      [1, 8].forEach((choices, at) => {
        expect(Math.abs(pace.room(choices, choices, 2.5) / (before[at] ?? Number.NaN) - 1)).toBeLessThan(0.2);
      });
    }
  });
});

test('nothing is foretold before some steps have been seen', () => {
  const pace = new Pace();
  expect([pace.isKnown, pace.firstTokenMs(100), pace.workMs(100, 100, 4), pace.room(4, 4, 2)]).toEqual([false, 0, 0, Number.POSITIVE_INFINITY]);
  runSteps(pace, device, 7, randoms(1));
  expect(pace.isKnown).toBe(false);
});

test('equal steps for long, then others: the others are learned, nothing becomes less than nothing', () => {
  const pace = new Pace();
  const random = randoms(3);
  for (let step = 0; step < 20_000; step++) pace.observe(0, 1, msOf(device, 0, 1) * (1 + 0.1 * (random() - 0.5)));
  expect(Math.abs(pace.stepMs(0, 1) / msOf(device, 0, 1) - 1)).toBeLessThan(0.05);
  pace.observe(100, 1, msOf(device, 100, 1));
  for (const choices of [0, 1, 8]) expect(pace.stepMs(100, choices)).toBeGreaterThan(0);
  runSteps(pace, device, 100, random);
  expect(errorOf(pace, device)).toBeLessThan(0.1);
});

test('equal steps of a device that changes are followed too', () => {
  for (const factor of [5, 0.2]) {
    const pace = new Pace();
    for (let step = 0; step < 2000; step++) pace.observe(0, 1, 10);
    for (let step = 0; step < 300; step++) pace.observe(0, 1, 10 * factor);
    expect(Math.abs(pace.stepMs(0, 1) / (10 * factor) - 1)).toBeLessThan(0.2);
  }
});

test('a device is learned after a time when steps took nothing', () => {
  const pace = new Pace();
  for (let step = 0; step < 20; step++) pace.observe(step % 3, 1, 0);
  runSteps(pace, device, 1500, randoms(5));
  expect(errorOf(pace, device)).toBeLessThan(0.2);
});

test('whatever steps are seen, all that is foretold is a number of at least 0, and more work never takes less time', () => {
  const step = fc.tuple(fc.nat(4096), fc.nat(64), fc.oneof(fc.double({ min: 0, max: 1e5, noNaN: true }), fc.constantFrom(0, 1e-9, 1e9)));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.nat(300), (steps, times) => {
      const pace = new Pace();
      for (const [prompts, choices, ms] of steps) for (let time = 0; time <= times / steps.length; time++) pace.observe(prompts, choices, ms);
      const rows: readonly (readonly number[])[] = [
        [0, 1, 2, 8, 64, 1000].map((prompts) => pace.stepMs(prompts, 3)),
        [0, 1, 2, 8, 64].map((choices) => pace.stepMs(10, choices)),
        [0, 1, 2, 8, 64].map((choices) => pace.room(choices, choices, 2.5)),
        [1, 1.5, 2, 4].map((stretch) => pace.room(4, 4, stretch)),
        [0, 1, 10, 1000].map((prompts) => pace.workMs(prompts, 10, 4)),
        [0, 1, 10, 1000].map((generated) => pace.workMs(10, generated, 4)),
        [1, 10, 1000].map((pending) => pace.firstTokenMs(pending)),
      ];
      for (const row of rows) {
        for (const value of row) expect(value).toBeGreaterThanOrEqual(0);
        expect([...row].sort((a, b) => a - b)).toEqual(row);
      }
      expect(rows[0]?.every(Number.isFinite)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('the rest of an answer: at least one token, at most what it may have, and as long as answers have been', () => {
  const pace = new Pace();
  expect(pace.restOf(0, 16)).toBe(16);
  for (let answer = 0; answer < 200; answer++) pace.observeAnswer(40);
  expect(pace.restOf(0, 1000)).toBeCloseTo(40, 0);
  expect(pace.restOf(30, 1000)).toBeCloseTo(10, 0);
  expect(pace.restOf(500, 1000)).toBe(1);
  expect(pace.restOf(0, 0)).toBe(0);
});
