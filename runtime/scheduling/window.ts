/**
 * Owns the arithmetic of models whose every layer looks back over a window of positions: which blocks of a sequence no later token
 * sees, and how many it holds at once. Pure. Refuses models in which some layer sees everything: there every block is needed.
 */
import type { LayerCache } from '../../models/family.ts';
import type { BlockId } from '../types.ts';

/** In a sequence's table, where a block has been given back. No kernel reads such an entry; one that did would find no slot of any pool there. */
export const noBlock = 0x00ff_ffff as BlockId;

/** Positions that the layer which looks furthest back sees; undefined where some layer sees everything. */
export function windowOf(caches: readonly LayerCache[]): number | undefined {
  const seen = (cache: LayerCache): number => {
    if (cache.kind === 'latent' || cache.kind === 'compressed') return Number.POSITIVE_INFINITY;
    return cache.kind === 'kv' ? (cache.window ?? Number.POSITIVE_INFINITY) : 0;
  };
  const furthest = caches.reduce((most, cache) => Math.max(most, seen(cache)), 0);
  return furthest === 0 || furthest === Number.POSITIVE_INFINITY ? undefined : furthest;
}

/** The window behind which blocks are given back; undefined where no sequence is longer, so that nothing ever is, and prompts can be used again. */
export function effectiveWindow(window: number | undefined, contextLength: number): number | undefined {
  return window !== undefined && window < contextLength ? window : undefined;
}

/** Blocks at a sequence's beginning that no token at or behind `position` sees: such a token sees `window` positions, its own the last of them. */
export function blocksBehind(position: number, window: number, blockLength: number): number {
  return Math.max(0, Math.floor((position + 1 - window) / blockLength));
}

/** Blocks that a sequence of `length` tokens holds at once, at most, if up to `step` of them are computed in a step. A window may begin in the middle of a block and a step end in one. */
export function blocksHeld(length: number, window: number | undefined, step: number, blockLength: number): number {
  const whole = Math.ceil(length / blockLength);
  return window === undefined ? whole : Math.min(whole, Math.ceil((window + step) / blockLength) + 1);
}
