/**
 * Owns the judgement of times: which tiles a shape gets, and why. Pure: the same times give the same choice.
 */
import { type Tile, tileName } from '../../kernels/tiles.ts';
import type { TimedTile } from '../types.ts';

/** What a shape can choose from. */
export interface TilePlan {
  readonly candidates: readonly Tile[];
  readonly builtIn: readonly Tile[];
}

/** Part of the built-in tile's time that another must save: less is noise, and one choice on all machines is worth something. */
export const leastGain = 0.08;
/** Tokens of the step that decides which tile large steps take: the largest is full twice. */
export function manyTokens({ candidates }: TilePlan): number {
  return 2 * Math.max(...candidates.map(({ tokens }) => tokens));
}

function timeOf(times: readonly TimedTile[], tile: Tile | undefined, tokens: number): TimedTile | undefined {
  return tile && times.find((time) => time.tile === tileName(tile) && time.tokens === tokens);
}

/** Whether one saves enough over another, by its least and by its usual time: on a busy machine one of the two lies. */
function beats(one: TimedTile | undefined, other: TimedTile | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one.ms < other.ms * (1 - leastGain) && one.usualMs < other.usualMs * (1 - leastGain);
}

/** The number of tokens of each group of rivals, ascending. */
export function tokenCounts({ candidates }: TilePlan): number[] {
  return [...new Set(candidates.map(({ tokens }) => tokens))].sort((a, b) => a - b);
}

/** For each number of tokens the best tile of that size; the largest may still not be worth having. */
export function bestOfEach(plan: TilePlan, times: readonly TimedTile[]): Tile[] {
  return tokenCounts(plan).flatMap((tokens) => {
    const rivals = plan.candidates.filter((tile) => tile.tokens === tokens);
    const own = plan.builtIn.find((tile) => tile.tokens === tokens);
    const better = own === undefined ? rivals : rivals.filter((tile) => beats(timeOf(times, tile, tokens), timeOf(times, own, tokens)));
    const timed = better.filter((tile) => timeOf(times, tile, tokens) !== undefined);
    return timed.toSorted((a, b) => (timeOf(times, a, tokens)?.ms ?? 0) - (timeOf(times, b, tokens)?.ms ?? 0))[0] ?? own ?? [];
  });
}

/** The tiles of a shape, in ascending order of tokens. */
export function chooseTiles(plan: TilePlan, times: readonly TimedTile[]): readonly Tile[] {
  const best = bestOfEach(plan, times);
  const [next, last] = best.slice(-2);
  if (next === undefined || last === undefined) return best;
  const isBuiltIn = plan.builtIn.some(({ tokens }) => tokens === last.tokens);
  const [small, large] = [next, last].map((tile) => timeOf(times, tile, manyTokens(plan)));
  return (isBuiltIn ? !beats(small, large) : beats(large, small)) ? best : best.slice(0, -1);
}
