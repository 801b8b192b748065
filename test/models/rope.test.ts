/** Against formulas written a second time, by turns instead of frequencies where that can be, for the numbers of real checkpoints; and against facts about them. */
import { describe, expect, it } from 'vitest';
import { type RopeScaling, ropeFrequencies, rotationTable } from '../../models/rope.ts';

const plain = (rotaryLength: number, base: number): number[] =>
  Array.from({ length: rotaryLength / 2 }, (_, i) => Math.exp((-2 * i * Math.log(base)) / rotaryLength));

/** Largest relative distance. */
function distance(got: ArrayLike<number>, expected: readonly number[]): number {
  expect(got.length).toBe(expected.length);
  return Math.max(...expected.map((value, i) => Math.abs((got[i] ?? Number.NaN) - value) / (Math.abs(value) || 1)));
}

const f32 = 2.5e-7;

describe('rope frequencies', () => {
  it('default and linear', () => {
    expect(distance(ropeFrequencies(128, 1e6).frequencies, plain(128, 1e6))).toBeLessThan(f32);
    const eighth = plain(256, 1e6).map((frequency) => frequency / 8);
    expect(distance(ropeFrequencies(256, 1e6, { kind: 'linear', factor: 8 }).frequencies, eighth)).toBeLessThan(f32);
  });

  it('llama3, as Llama 3.1 has it: fast pairs as they are, slow ones an eighth, a ramp in turns between', () => {
    const { frequencies, factor } = ropeFrequencies(128, 500_000, { kind: 'llama3', factor: 8, low: 1, high: 4, originalLength: 8192 });
    const expected = plain(128, 500_000).map((frequency) => {
      const turns = (8192 * frequency) / (2 * Math.PI);
      const kept = Math.min(1, Math.max(0, (turns - 1) / 3));
      return frequency * (kept + (1 - kept) / 8);
    });
    expect(distance(frequencies, expected)).toBeLessThan(f32);
    expect(factor).toBe(1);
    expect(frequencies[0]).toBe(1);
  });

  const yarn = (options: Partial<Extract<RopeScaling, { kind: 'yarn' }>>): RopeScaling => ({ kind: 'yarn', factor: 32, originalLength: 4096, ...options });

  it('yarn, as gpt-oss has it: no rounding of the ramp, cosines times 0.1 ln 32 + 1', () => {
    const { frequencies, factor } = ropeFrequencies(64, 150_000, yarn({ truncate: false }));
    // The pair that makes n turns over the original length solves base^(2i/64) = 4096 / (2 pi n).
    const pairOf = (turns: number): number => (32 * Math.log(4096 / (2 * Math.PI * turns))) / Math.log(150_000);
    const [low, high] = [pairOf(32), pairOf(1)];
    const expected = plain(64, 150_000).map((frequency, i) => {
      const slowed = Math.min(1, Math.max(0, (i - low) / (high - low)));
      return frequency * (1 - slowed + slowed / 32);
    });
    expect(distance(frequencies, expected)).toBeLessThan(f32);
    expect(factor).toBeCloseTo(1.34657, 5);
  });

  it('yarn with whole ends of the ramp, as DeepSeek-V4 has it', () => {
    const { frequencies } = ropeFrequencies(64, 160_000, yarn({ factor: 16, originalLength: 65_536 }));
    // corr(32) = 15.5.., corr(1) = 24.7..: pairs to 15 stay, pairs from 25 are a sixteenth.
    const frequency = plain(64, 160_000);
    expect(distance(frequencies.subarray(0, 16), frequency.slice(0, 16))).toBeLessThan(f32);
    expect(
      distance(
        frequencies.subarray(25),
        frequency.slice(25).map((value) => value / 16),
      ),
    ).toBeLessThan(f32);
    expect(distance(frequencies.subarray(20, 21), [(frequency[20] ?? 0) * (0.5 + 0.5 / 16)])).toBeLessThan(f32);
  });

  it('attention factors of yarn: the given one, the ratio of two scales, that of the factor', () => {
    expect(ropeFrequencies(64, 1e4, yarn({ attentionFactor: 0.7 })).factor).toBe(0.7);
    expect(ropeFrequencies(64, 1e4, yarn({ mscale: 1, mscaleAllDim: 1 })).factor).toBe(1);
    expect(ropeFrequencies(64, 1e4, yarn({ factor: Math.E ** 10, mscale: 0.5, mscaleAllDim: 1 })).factor).toBeCloseTo(1.5 / 2, 12);
    expect(ropeFrequencies(64, 1e4, yarn({ factor: 0.5 })).factor).toBe(1);
  });

  it('longrope: the list by the room of the engine, once for all positions', () => {
    const scaling: RopeScaling = { kind: 'longrope', shortFactors: [1, 2], longFactors: [4, 8], originalLength: 4096, trainedLength: 131_072 };
    expect([...ropeFrequencies(4, 1e4, scaling, 4096).frequencies]).toEqual([1, Math.fround(0.005)]);
    const { frequencies, factor } = ropeFrequencies(4, 1e4, scaling, 4097);
    expect([...frequencies]).toEqual([0.25, Math.fround(0.00125)]);
    // ln 32 / ln 4096 = 5 / 12.
    expect(factor).toBeCloseTo(Math.sqrt(17 / 12), 12);
  });

  it('proportional: exponents by the head, three quarters of the pairs stand still', () => {
    const { frequencies } = ropeFrequencies(512, 1e6, { kind: 'proportional', part: 0.25 });
    expect(
      distance(
        frequencies,
        plain(512, 1e6).map((value, i) => (i < 64 ? value : 0)),
      ),
    ).toBeLessThan(f32);
  });

  it('divisors', () => {
    expect([...ropeFrequencies(4, 1e4, { kind: 'divisors', divisors: [1, 8] }).frequencies]).toEqual([1, Math.fround(Math.fround(0.01) / 8)]);
  });
});

describe('rotation table', () => {
  it('has cosine and sine of position times frequency, times the factor', () => {
    const table = rotationTable({ frequencies: Float64Array.of(0.5, 0), factor: 2 }, 3);
    expect(table).toHaveLength(12);
    expect([...table.subarray(8)]).toEqual([2 * Math.cos(1), 2 * Math.sin(1), 2, 0].map(Math.fround));
  });
});
