/**
 * Owns the order in which tiles are compiled and timed, and the end of it: built-in tiles first, then what promises most,
 * rivals in turn, so that what slows the machine slows them all. Refuses to touch a device: a timer does.
 */
import { type Tile, tileName } from '../../kernels/matmul.ts';
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

/** Each group of rivals is timed so many times; the least counts, because whatever disturbs a measurement adds to it. */
const rounds = 5;
/** Part of the budget after which no further tile is compiled. */
const compilingPart = 0.6;
/** Compiled at the same time. */
const compilers = 2;

interface TileOf {
  readonly shape: number;
  readonly tile: Tile;
}

interface Rivals {
  readonly shape: number;
  readonly tiles: readonly Tile[];
}

/** Times of each shape; those that the budget did not reach have none. */
export async function measureShapes(
  plans: readonly ShapePlan[],
  timer: TileTimer,
  { budget, mostTokens }: MeasureLimits,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<readonly (readonly TimedTile[])[]> {
  // What takes most of a step first.
  const order = [...plans.entries()].sort(([, a], [, b]) => b.weight - a.weight);
  const { built, others } = listTiles(order, mostTokens);
  const groups = [...new Set([...plans.flatMap(tokenCounts), manyTokens])].filter((tokens) => tokens <= mostTokens).sort((a, b) => a - b);
  const total = 2 * (built.length + others.length) + groups.length;
  const prepared = new Set<string>();
  let done = 0;
  const advance = (): void => onProgress(++done, total);
  const prepare = async (list: readonly TileOf[]): Promise<void> => {
    await Promise.all(list.map(({ shape, tile }) => timer.compile(shape, tile).then(advance)));
    for (const { shape, tile } of list) {
      await timer.warm(shape, tile);
      prepared.add(`${shape} ${tileName(tile)}`);
      advance();
    }
  };
  const begun = timer.now();
  await prepare(built);
  const start = timer.now();
  // What the next ones will take, by what the built-in ones took: a device that compiles too slowly measures what it has.
  const expected = ((start - begun) / Math.max(1, built.length)) * compilers;
  for (let i = 0; i < others.length && timer.now() + expected < start + budget * compilingPart; i += compilers) await prepare(others.slice(i, i + compilers));
  const times: TimedTile[][] = plans.map(() => []);
  for (const tokens of groups) {
    const rivals = order.map(([shape, plan]): Rivals => {
      const all = tokens === manyTokens ? bestOfEach(plan, times[shape] ?? []).slice(-2) : plan.candidates.filter((tile) => tile.tokens === tokens);
      return { shape, tiles: all.filter((tile) => prepared.has(`${shape} ${tileName(tile)}`)) };
    });
    // One that is alone is timed too where nothing is built in: it may enter the comparison of large steps.
    const real = rivals.filter(
      ({ shape, tiles }) => tiles.length > 1 || (tokens !== manyTokens && !plans[shape]?.builtIn.some((own) => own.tokens === tokens)),
    );
    await timeRivals(real, tokens, timer, start + budget, times);
    advance();
  }
  onProgress(total, total);
  return times;
}

/** Built-in tiles, and the others that a step of the engine can fill: decode first, because users wait for it longest. */
function listTiles(order: readonly (readonly [number, ShapePlan])[], mostTokens: number): { built: TileOf[]; others: TileOf[] } {
  const built = order.flatMap(([shape, plan]) => plan.builtIn.map((tile) => ({ shape, tile })));
  const names = new Set(built.map(({ shape, tile }) => `${shape} ${tileName(tile)}`));
  const others = order.flatMap(([shape, plan]) => plan.candidates.map((tile) => ({ shape, tile })));
  const left = others.filter(({ shape, tile }) => tile.tokens <= mostTokens && !names.has(`${shape} ${tileName(tile)}`));
  return { built, others: left.sort((a, b) => a.tile.tokens - b.tile.tokens) };
}

/** A group is timed whole or not at all. */
async function timeRivals(groups: readonly Rivals[], tokens: number, timer: TileTimer, deadline: number, times: TimedTile[][]): Promise<void> {
  timer.useTokens(tokens);
  const least = groups.map(({ tiles }) => tiles.map(() => Number.POSITIVE_INFINITY));
  for (let round = 0; round < rounds; round++) {
    for (const [group, { shape, tiles }] of groups.entries()) {
      if (timer.now() >= deadline) break;
      for (let i = 0; i < tiles.length; i++) {
        // Whoever comes first may find colder caches: each does in turn.
        const at = (i + round) % tiles.length;
        const found = least[group] as number[];
        found[at] = Math.min(found[at] ?? 0, await timer.time(shape, tiles[at] as Tile));
      }
    }
  }
  for (const [group, { shape, tiles }] of groups.entries())
    for (const [i, tile] of tiles.entries()) {
      const ms = least[group]?.[i] ?? Number.POSITIVE_INFINITY;
      if (ms < Number.POSITIVE_INFINITY) times[shape]?.push({ tile: tileName(tile), tokens, ms });
    }
}
