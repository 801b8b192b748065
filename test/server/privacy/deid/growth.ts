/** Owns how tests judge that work grows with its input and no faster: by the ratio of two inputs, which no machine's speed is in. */
import { expect } from 'vitest';

/** Between four times, of linear work, and sixteen times, of work that grows with the square. */
const mostGrowth = 8;
const mostRounds = 8;

/**
 * Twice the length, and twice again, takes about four times the time: if not at once, by the
 * least times of several rounds by turns, since what else runs only ever adds.
 */
export function expectLinear(name: string, length: number, make: (length: number) => string, work: (text: string) => unknown): void {
  const inputs = [make(length), make(4 * length)] as const;
  work(inputs[0]);
  const least: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let growth = Number.POSITIVE_INFINITY;
  for (let round = 0; round < mostRounds && growth > mostGrowth; round += 1) {
    for (const index of [0, 1] as const)
      least[index] = Math.min(
        least[index],
        measureTime(() => work(inputs[index])),
      );
    growth = least[1] / least[0];
  }
  expect(growth, `${name}: ${least[0].toFixed(1)} ms, then ${least[1].toFixed(1)} ms`).toBeLessThan(mostGrowth);
}

/** Processor time is counted in steps of some milliseconds. */
const leastTime = 30;

/** Milliseconds of processor time of this thread, as the mean of as many runs as take long enough to be counted. */
export function measureTime(work: () => unknown): number {
  const before = process.threadCpuUsage();
  for (let runs = 1; ; runs += 1) {
    work();
    const { user, system } = process.threadCpuUsage(before);
    if (user + system >= leastTime * 1000) return (user + system) / 1000 / runs;
  }
}

/** A piece again and again. */
export function repeat(piece: string): (length: number) => string {
  return (length) => piece.repeat(length / piece.length);
}
