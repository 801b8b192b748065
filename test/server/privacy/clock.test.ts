/** The trusted clock: what it takes for a clock that was turned back, and what not. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clockTolerance, TrustedClock } from '../../../server/privacy/clock.ts';
import { begin, TestClock } from './agreed-site.ts';

const open = (clock: TestClock, kept = 0): TrustedClock => new TrustedClock(kept, clock.wall, clock.monotonic);

test('time that passes is trusted', () => {
  const clock = new TestClock();
  const trusted = open(clock);
  clock.pass(3_600_000);
  expect(trusted.read()).toBe(begin + 60_000 + 3_600_000);
});

test('a clock that is set back is not trusted until it has caught up', () => {
  const clock = new TestClock();
  const trusted = open(clock);
  trusted.read();
  clock.step(-3_600_000);
  expect(trusted.read()).toBeUndefined();
  clock.step(3_600_000);
  expect(trusted.read()).toBe(clock.wall());
});

test('a clock that was set back before anybody looked is found by the monotonic one', () => {
  const clock = new TestClock();
  const trusted = open(clock);
  clock.pass(7_200_000);
  clock.step(-7_200_000);
  expect(trusted.read()).toBeUndefined();
});

test('a clock behind the time that the store has seen is not trusted', () => {
  const clock = new TestClock();
  expect(open(clock, clock.wall() + 3_600_000).read()).toBeUndefined();
  expect(open(clock, clock.wall() + clockTolerance).read()).toBeDefined();
});

test('a sleep of the machine, in which only the wall clock goes on, is trusted, and what follows too', () => {
  const clock = new TestClock();
  const trusted = open(clock);
  clock.step(3_600_000);
  expect(trusted.read()).toBe(clock.wall());
  clock.pass(1000);
  expect(trusted.read()).toBe(clock.wall());
  clock.step(-1_800_000);
  expect(trusted.read()).toBeUndefined();
});

test('whatever happens, trusted time never goes back, and is never further behind the time that has passed than the tolerance', () => {
  const step = fc.record({ pass: fc.nat(100_000), step: fc.integer({ min: -20_000, max: 20_000 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new TestClock();
      const trusted = open(clock);
      let latest = trusted.read() as number;
      const start = latest;
      let passed = 0;
      for (const { pass, step: moved } of steps) {
        clock.pass(pass);
        passed += pass;
        clock.step(moved);
        const now = trusted.read();
        if (now === undefined) continue;
        expect(now).toBeGreaterThanOrEqual(latest);
        expect(now).toBeGreaterThanOrEqual(start + passed - clockTolerance);
        latest = now;
      }
    }),
    { numRuns: 500, seed: 1 },
  );
});

test('whole milliseconds, as the store takes them, although the monotonic clock has fractions', () => {
  let monotonic = 1000.25;
  const trusted = new TrustedClock(
    0,
    () => begin,
    () => (monotonic += 0.3),
  );
  trusted.read();
  for (let i = 0; i < 10; i++) expect(Number.isInteger(trusted.latest)).toBe(true);
});
