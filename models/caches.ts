/** Owns what a layer's cache is to the kernels: the shape of its pool, the length of its state. Refuses to know how many slots and sequences there are. */
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
