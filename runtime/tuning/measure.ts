/**
 * Owns the order in which tiles are compiled and timed, and the end of it: built-in tiles first, then what promises most,
 * rivals in turn, so that what slows the machine slows them all. Refuses to touch a device: a timer does.
 */
import { type Tile, tileName } from '../../kernels/tiles.ts';
import type { TimedTile } from '../types.ts';
import { bestOfEach, manyTokens, type TilePlan, tokenCounts } from './choose.ts';

/** A shape to be timed. */
export interface ShapePlan extends TilePlan {
  /** How much of a step is at stake; on any scale. */
  readonly weight: number;
}

/** What compiles and times the tiles of shapes, which are named by their place in the list. */
export interface TileTimer {
  compile(shape: number, tile: Tile): Promise<void>;
  /** Runs a tile for the first time, which compiles it on some devices. */
  warm(shape: number, tile: Tile): Promise<void>;
  /** Tokens of the dispatches that are timed from now on. */
  useTokens(tokens: number): void;
  /** Milliseconds of one dispatch. */
  time(shape: number, tile: Tile): Promise<number>;
  now(): number;
}

export interface MeasureLimits {
  /** Milliseconds beyond the compiling of the built-in tiles, which are needed anyway. */
  readonly budget: number;
  /** Tokens of a step at most. */
  readonly mostTokens: number;
}

/** Each group of rivals is timed so many times. */
const rounds = 7;
/** Part of the budget after which no further tile is compiled. */
const compilingPart = 0.6;
/** Compiled at the same time. */
const compilers = 2;

/** Shapes by their place in the list, the heaviest first. */
type Order = readonly (readonly [shape: number, plan: ShapePlan])[];

interface TileOf {
  readonly shape: number;
  readonly tile: Tile;
}

interface Rivals {
  readonly shape: number;
  readonly tiles: readonly Tile[];
}

export interface Measured {
  /** Of each shape; those that the budget did not reach have none. */
  readonly times: readonly (readonly TimedTile[])[];
  /** Tiles that do not compile on the device; none of them built in. */
  readonly failed: number;
}

/** Throws where a built-in tile does not compile. */
export async function measureShapes(
  plans: readonly ShapePlan[],
  timer: TileTimer,
  { budget, mostTokens }: MeasureLimits,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<Measured> {
  // What takes most of a step first.
  const order = [...plans.entries()].sort(([, a], [, b]) => b.weight - a.weight);
  const { built, others } = listTiles(order, mostTokens);
  const groups = [...new Set(plans.flatMap((plan) => [...tokenCounts(plan), manyTokens(plan)]))].filter((tokens) => tokens <= mostTokens).sort((a, b) => a - b);
  const total = 2 * (built.length + others.length) + groups.length;
  let done = 0;
  const advance = (): void => onProgress(++done, total);
  const prepared = new Set<string>();
  const begun = timer.now();
  await prepareTiles(built, timer, prepared, advance);
  const failed = new Set<string>();
  const start = timer.now();
  // What the next ones will take, by what the built-in ones took: a device that compiles too slowly measures what it has.
  const expected = ((start - begun) / Math.max(1, built.length)) * compilers;
  for (let i = 0; i < others.length && timer.now() + expected < start + budget * compilingPart; i += compilers)
    await prepareTiles(others.slice(i, i + compilers), timer, prepared, advance, failed);
  const times: TimedTile[][] = plans.map(() => []);
  for (const tokens of groups) {
    await timeRivals(listRivals(order, tokens, prepared, times), tokens, timer, start + budget, times);
    advance();
  }
  onProgress(total, total);
  return { times, failed: failed.size };
}

/** `failed`: takes the tiles that do not compile; without it they are an error. */
async function prepareTiles(list: readonly TileOf[], timer: TileTimer, prepared: Set<string>, advance: () => void, failed?: Set<string>): Promise<void> {
  const compile = ({ shape, tile }: TileOf): Promise<unknown> => {
    const compiled = timer.compile(shape, tile).then(advance);
    return failed === undefined ? compiled : compiled.catch(() => failed.add(keyOf(shape, tile)));
  };
  await Promise.all(list.map(compile));
  for (const { shape, tile } of list) {
    if (failed?.has(keyOf(shape, tile))) continue;
    await timer.warm(shape, tile);
    prepared.add(keyOf(shape, tile));
    advance();
  }
}

function keyOf(shape: number, tile: Tile): string {
  return `${shape} ${tileName(tile)}`;
}

/** What is compared at this number of tokens: tiles of that size, and for large steps the two largest that won. */
function listRivals(order: Order, tokens: number, prepared: ReadonlySet<string>, times: readonly (readonly TimedTile[])[]): Rivals[] {
  return order.flatMap(([shape, plan]) => {
    const isLarge = tokens === manyTokens(plan);
    const all = isLarge ? bestOfEach(plan, times[shape] ?? []).slice(-2) : plan.candidates.filter((tile) => tile.tokens === tokens);
    const tiles = all.filter((tile) => prepared.has(keyOf(shape, tile)));
    // One that is alone is timed where nothing is built in: it may enter the comparison of large steps.
    const isNew = !isLarge && tiles.length > 0 && !plan.builtIn.some((own) => own.tokens === tokens);
    return tiles.length > 1 || isNew ? [{ shape, tiles }] : [];
  });
}

/** Built-in tiles, and the others that a step of the engine can fill: decode first, because users wait for it longest. */
function listTiles(order: Order, mostTokens: number): { built: TileOf[]; others: TileOf[] } {
  const built = order.flatMap(([shape, plan]) => plan.builtIn.map((tile) => ({ shape, tile })));
  const names = new Set(built.map(({ shape, tile }) => keyOf(shape, tile)));
  const others = order.flatMap(([shape, plan]) => plan.candidates.map((tile) => ({ shape, tile })));
  const left = others.filter(({ shape, tile }) => tile.tokens <= mostTokens && !names.has(keyOf(shape, tile)));
  return { built, others: left.sort((a, b) => a.tile.tokens - b.tile.tokens) };
}

/** A group is timed whole or not at all. */
async function timeRivals(groups: readonly Rivals[], tokens: number, timer: TileTimer, deadline: number, times: TimedTile[][]): Promise<void> {
  timer.useTokens(tokens);
  const found = groups.map(({ tiles }) => tiles.map((): number[] => []));
  for (let round = 0; round < rounds; round++) {
    for (const [group, { shape, tiles }] of groups.entries()) {
      if (timer.now() >= deadline) break;
      for (let i = 0; i < tiles.length; i++) {
        // Whoever comes first may find colder caches: each does in turn.
        const at = (i + round) % tiles.length;
        found[group]?.[at]?.push(await timer.time(shape, tiles[at] as Tile));
      }
    }
  }
  for (const [group, { shape, tiles }] of groups.entries())
    for (const [i, tile] of tiles.entries()) {
      const sorted = (found[group]?.[i] ?? []).sort((a, b) => a - b);
      const [ms, usualMs] = [sorted[0], sorted[Math.floor(sorted.length / 2)]];
      if (ms !== undefined && usualMs !== undefined) times[shape]?.push({ tile: tileName(tile), tokens, ms, usualMs });
    }
}
