/** Owns what a layer's cache is to the kernels: the shape of its pool, the length of its state, how far it goes back. Refuses to know how many slots and sequences there are. */
import type { PoolShape } from '../kernels/attention.ts';
import { entryPoolShape, keptRowsLength } from '../kernels/compressed.ts';
import type { LayerCache } from './family.ts';

/** What a slot of the layer's pool holds; undefined: the layer has no pool. */
export function poolShapeOf(cache: LayerCache, kv: PoolShape['kv']): PoolShape | undefined {
  switch (cache.kind) {
    case 'kv':
      return { kvHeads: cache.kvHeads, headLength: cache.headLength, kv };
    case 'latent':
      return { kvHeads: 1, headLength: cache.latentLength + cache.ropeLength, latentLength: cache.latentLength, indexLength: cache.indexLength, kv };
    case 'compressed':
      return cache.ratio === 0 ? undefined : entryPoolShape(cache, kv);
    case 'state':
    case 'none':
      return undefined;
  }
}

/** f32 that the layer keeps of a sequence as a whole; undefined: nothing. */
export function stateLengthOf(cache: LayerCache): number | undefined {
  if (cache.kind === 'compressed') return keptRowsLength(cache);
  return cache.kind === 'state' ? cache.length : undefined;
}

/**
 * Guessed tokens of a step that may turn out wrong, so that the layer is as if they had not been there: the next step computes other tokens in their places.
 * A state holds all tokens up to one of them. Rows of a window are kept for as many tokens as see each other, the own one among them, so that those of
 * one token too many are in nobody's way; entries that it completes are made anew.
 */
export function mostGuesses(cache: LayerCache): number {
  if (cache.kind === 'state') return 0;
  return cache.kind === 'compressed' ? 1 : Number.POSITIVE_INFINITY;
}
