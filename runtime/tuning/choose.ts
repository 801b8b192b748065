/**
 * Owns the judgement of times: which tiles a shape gets, and why. Pure: the same times give the same choice.
 */
import { type Tile, tileName } from '../../kernels/matmul.ts';
import type { TimedTile } from '../types.ts';

/** What a shape can choose from. */
export interface TilePlan {
  readonly candidates: readonly Tile[];
  readonly builtIn: readonly Tile[];
}

/** Part of the built-in tile's time that another must save: less is noise, and one choice on all machines is worth something. */
export const leastGain = 0.08;
/** Tokens of the step that decides which tile large steps take. */
export const manyTokens = 16;

function timeOf(times: readonly TimedTile[], tile: Tile, tokens: number): number | undefined {
  return times.find((time) => time.tile === tileName(tile) && time.tokens === tokens)?.ms;
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
    const timed = rivals.filter((tile) => timeOf(times, tile, tokens) !== undefined);
    const fastest = timed.toSorted((a, b) => (timeOf(times, a, tokens) ?? 0) - (timeOf(times, b, tokens) ?? 0))[0];
    if (own === undefined) return fastest ?? [];
    if (fastest === undefined) return [own];
    const [before, after] = [timeOf(times, own, tokens), timeOf(times, fastest, tokens) ?? 0];
    return [before === undefined || after > before * (1 - leastGain) ? own : fastest];
  });
}

/** The tiles of a shape, in ascending order of tokens. */
export function chooseTiles(plan: TilePlan, times: readonly TimedTile[]): readonly Tile[] {
  const best = bestOfEach(plan, times);
  const [next, last] = best.slice(-2);
  if (next === undefined || last === undefined) return best;
  const isBuiltIn = plan.builtIn.some(({ tokens }) => tokens === last.tokens);
  const [small, large] = [timeOf(times, next, manyTokens), timeOf(times, last, manyTokens)];
  if (small === undefined || large === undefined) return isBuiltIn ? best : best.slice(0, -1);
  const keeps = isBuiltIn ? small > large * (1 - leastGain) : large < small * (1 - leastGain);
  return keeps ? best : best.slice(0, -1);
}
