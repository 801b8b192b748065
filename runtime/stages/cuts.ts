/**
 * Owns where a model is cut into stages: the ranges of layers of which the largest takes as few bytes as can be. Pure. Refuses to cut where the family
 * forbids it.
 */
import type { LayerRange } from '../../models/index.ts';

/** Ranges of `count` stages in order, of layers of these sizes; undefined where there are not enough places to cut. `canCut`: before a layer that is not the first. */
export function chooseCuts(layers: readonly number[], count: number, canCut: (layer: number) => boolean): LayerRange[] | undefined {
  const end = layers.length;
  const ends = Array.from({ length: end }, (_, i) => i + 1).filter((layer) => layer === end || canCut(layer));
  /** Of the layers before `at`, cut into so many stages as there were turns: the largest stage and where its last one begins. */
  type Best = { readonly largest: number; readonly start: number };
  let best = new Map<number, Best>([[0, { largest: 0, start: 0 }]]);
  const turns = [best];
  for (let stage = 0; stage < count; stage++) {
    const next = new Map<number, Best>();
    for (const [start, { largest }] of best) {
      let size = 0;
      let from = start;
      for (const to of ends) {
        if (to <= start) continue;
        for (; from < to; from++) size += layers[from] ?? 0;
        const all = Math.max(largest, size);
        if (all < (next.get(to)?.largest ?? Number.POSITIVE_INFINITY)) next.set(to, { largest: all, start });
      }
    }
    turns.push(next);
    best = next;
  }
  return best.has(end) ? readBack(turns, end) : undefined;
}

function readBack(turns: readonly ReadonlyMap<number, { readonly start: number }>[], end: number): LayerRange[] {
  const ranges: LayerRange[] = [];
  for (const turn of turns.slice(1).reverse()) {
    const start = turn.get(end)?.start ?? 0;
    ranges.unshift({ start, end });
    end = start;
  }
  return ranges;
}
