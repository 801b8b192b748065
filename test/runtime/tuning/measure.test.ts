/** The order of measuring and its budget, with a timer whose clock the test owns. */
import { expect, test } from 'vitest';
import { type Tile, tileName } from '../../../kernels/tiles.ts';
import { chooseTiles } from '../../../runtime/tuning/choose.ts';
import { measureShapes, type ShapePlan, type TileTimer } from '../../../runtime/tuning/measure.ts';

const tiles = (...list: readonly (readonly [tokens: number, quads: number])[]): Tile[] => list.map(([tokens, quads]) => ({ tokens, quads }));
const plan = (weight: number): ShapePlan => ({
  weight,
  candidates: tiles([1, 1], [1, 2], [4, 1], [4, 2], [8, 1]),
  builtIn: tiles([1, 2], [4, 1], [8, 1]),
});

/** Compiling takes `compileMs`, a dispatch what `cost` says; everything that was asked for is written down. */
class FakeTimer implements TileTimer {
  readonly compiled: string[] = [];
  readonly timed: string[] = [];
  clock = 0;
  #tokens = 0;
  readonly #compileMs: number;
  readonly #cost: (shape: number, tile: string, tokens: number, nth: number) => number;

  constructor(compileMs: number, cost: (shape: number, tile: string, tokens: number, nth: number) => number = () => 1) {
    this.#compileMs = compileMs;
    this.#cost = cost;
  }

  async compile(shape: number, tile: Tile): Promise<void> {
    this.compiled.push(`${shape} ${tileName(tile)}`);
    this.clock += this.#compileMs;
  }

  async warm(shape: number, tile: Tile): Promise<void> {
    expect(this.compiled).toContain(`${shape} ${tileName(tile)}`);
  }

  useTokens(tokens: number): void {
    this.#tokens = tokens;
  }

  async time(shape: number, tile: Tile): Promise<number> {
    const ms = this.#cost(shape, tileName(tile), this.#tokens, this.timed.length);
    this.timed.push(`${shape} ${tileName(tile)}@${this.#tokens}`);
    this.clock += ms;
    return ms;
  }

  now(): number {
    return this.clock;
  }
}

const limits = { budget: 1000, mostTokens: 16 };

test('built-in tiles are compiled first, then the others for decoding first; what takes most of a step leads', async () => {
  const timer = new FakeTimer(1);
  const steps: [number, number][] = [];
  await measureShapes([plan(1), plan(5)], timer, limits, (done, total) => steps.push([done, total]));
  expect(timer.compiled).toEqual([...['1 t1q2', '1 t4q1', '1 t8q1', '0 t1q2', '0 t4q1', '0 t8q1'], ...['1 t1q1', '0 t1q1', '1 t4q2', '0 t4q2']]);
  expect(steps.map(([done]) => done)).toEqual(steps.map(([done]) => done).toSorted((a, b) => a - b));
  expect(steps.at(-1)?.[0]).toBe(steps.at(-1)?.[1]);
  expect(new Set(steps.map(([, total]) => total)).size).toBe(1);
});

test('rivals are timed in turn, each the first in some round, and alone they are not timed', async () => {
  const timer = new FakeTimer(1);
  await measureShapes([plan(1)], timer, limits);
  const decode = timer.timed.filter((name) => name.endsWith('@1'));
  expect(decode).toEqual([0, 1, 2, 3, 4, 5, 6].flatMap((round) => (round % 2 === 0 ? ['0 t1q1@1', '0 t1q2@1'] : ['0 t1q2@1', '0 t1q1@1'])));
  expect(timer.timed.some((name) => name.endsWith('@8'))).toBe(false);
  expect(new Set(timer.timed.filter((name) => name.endsWith('@16')))).toEqual(new Set(['0 t4q1@16', '0 t8q1@16']));
});

test('least and median of each, whatever else the machine does now and then', async () => {
  // Every third measurement is four times as slow.
  const timer = new FakeTimer(1, (_, tile, __, nth) => (tile === 't1q1' ? 2 : 3) * (nth % 3 === 0 ? 4 : 1));
  const {
    times: [times = []],
  } = await measureShapes([plan(1)], timer, limits);
  expect(times.filter(({ tokens }) => tokens === 1)).toEqual([
    { tile: 't1q1', tokens: 1, ms: 2, usualMs: 2 },
    { tile: 't1q2', tokens: 1, ms: 3, usualMs: 3 },
  ]);
  expect(chooseTiles(plan(1), times).map(tileName)).toEqual(['t1q1', 't4q1', 't8q1']);
});

test('large steps compare the tiles that won', async () => {
  const timer = new FakeTimer(1, (_, tile, tokens) => (tile === 't4q2' ? 1 : 3) * tokens);
  const {
    times: [times = []],
  } = await measureShapes([plan(1)], timer, limits);
  expect(times.filter(({ tokens }) => tokens === 16).map(({ tile }) => tile)).toEqual(['t4q2', 't8q1']);
  expect(chooseTiles(plan(1), times).map(tileName)).toEqual(['t1q2', 't4q2']);
});

test('a size that nothing built in has is timed alone, and then against the largest of the others', async () => {
  const few: ShapePlan = { weight: 1, candidates: tiles([1, 4], [4, 4], [8, 2]), builtIn: tiles([1, 4], [4, 4]) };
  const timer = new FakeTimer(1, (_, tile) => (tile === 't8q2' ? 1 : 2));
  const {
    times: [times = []],
  } = await measureShapes([few], timer, limits);
  expect([...new Set(timer.timed)]).toEqual(['0 t8q2@8', '0 t4q4@16', '0 t8q2@16']);
  expect(chooseTiles(few, times).map(tileName)).toEqual(['t1q4', 't4q4', 't8q2']);
});

test('the budget: no tile is compiled that would pass its part, groups are timed whole or not at all', async () => {
  const slow = new FakeTimer(100);
  const {
    times: [times = []],
  } = await measureShapes([plan(1)], slow, { ...limits, budget: 150 });
  expect(slow.compiled).toEqual(['0 t1q2', '0 t4q1', '0 t8q1']);
  // What is there is compared all the same.
  expect(times.map(({ tile, tokens }) => `${tile}@${tokens}`)).toEqual(['t4q1@16', 't8q1@16']);
  const late = new FakeTimer(1, () => 100);
  const { times: found } = await measureShapes([plan(1), plan(2)], late, { ...limits, budget: 250 });
  // Two rivals of the heavier shape and two of the other take 400 ms: after that nothing is begun.
  expect(late.timed).toEqual(['1 t1q1@1', '1 t1q2@1', '0 t1q1@1', '0 t1q2@1']);
  expect(found.map((list) => list.length)).toEqual([2, 2]);
  const none = new FakeTimer(1, () => 1);
  expect(await measureShapes([plan(1)], none, { ...limits, budget: 0 })).toEqual({ times: [[]], failed: 0 });
  expect(none.compiled).toHaveLength(3);
});

test('an engine whose steps are small times nothing that they cannot fill', async () => {
  const timer = new FakeTimer(1);
  await measureShapes([plan(1)], timer, { budget: 1000, mostTokens: 2 });
  expect(new Set(timer.timed)).toEqual(new Set(['0 t1q1@1', '0 t1q2@1']));
  expect(timer.compiled).not.toContain('0 t4q2');
});

test('a tile that does not compile is counted and left out; a built-in one is an error', async () => {
  const timer = new FakeTimer(1);
  const compile = timer.compile.bind(timer);
  let broken = 't1q1';
  timer.compile = (shape, tile) => (tileName(tile) === broken ? Promise.reject(new Error('does not compile')) : compile(shape, tile));
  const { times, failed } = await measureShapes([plan(1)], timer, limits);
  expect(failed).toBe(1);
  expect(times.flat().some(({ tile }) => tile === 't1q1')).toBe(false);
  expect(times.flat().some(({ tokens }) => tokens === 16)).toBe(true);
  broken = 't1q2';
  await expect(measureShapes([plan(1)], timer, limits)).rejects.toThrow('does not compile');
});

test('no shapes: nothing to do', async () => {
  expect(await measureShapes([], new FakeTimer(1), limits)).toEqual({ times: [], failed: 0 });
});
