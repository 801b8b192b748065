/** Owns what a layer's cache is to the kernels: the shape of its pool. Refuses to know how many slots there are. */
import type { PoolShape } from '../kernels/attention.ts';
import type { LayerCache } from './family.ts';

/** What a slot of the layer's pool holds; undefined: the layer has no pool. */
export function poolShapeOf(cache: LayerCache, kv: PoolShape['kv']): PoolShape | undefined {
  switch (cache.kind) {
    case 'kv':
      return { kvHeads: cache.kvHeads, headLength: cache.headLength, kv };
    case 'latent':
      return { kvHeads: 1, headLength: cache.latentLength + cache.ropeLength, latentLength: cache.latentLength, indexLength: cache.indexLength, kv };
    case 'state':
    case 'none':
      return undefined;
  }
}
