/** Owns the embedding lookup: rows of a packed matrix as f32 activations. */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import { blockColumns, type PackedMatrix, packedStorages, type StorageWithKernels, weightPlace } from './weights.ts';

export interface EmbedPlaces {
  readonly weights: Place;
  readonly y: Place;
}

export function embedVariant(storage: StorageWithKernels, places: EmbedPlaces, lanes: number, layout: Readonly<Record<string, number>>): Variant {
  const { stem } = packedStorages[storage];
  return {
    label: `embed/${stem}/${places.weights}-${places.y}/sg${lanes}`,
    file: 'embed.wgsl',
    includes: { QUANT: `quant/${stem}.wgsl`, PLACE_W: `place/weights_${places.weights}.wgsl`, PLACE_Y: `place/y_${places.y}.wgsl` },
    constants: { LANES: lanes, ...layout },
    bindings: [bindingKind('read', places.weights, 'rgba32uint'), bindingKind('write', places.y), 'read', 'uniform'],
  };
}

/** y[token] = row of the token's id, times `scale`; one operation a shard, each writes the tokens whose rows it holds. */
export function embed(table: PackedMatrix, y: Vectors, batch: Slice, lanes: number, layout: Readonly<Record<string, number>>, scale = 1): Operation[] {
  const variants = [embedVariant(table.storage, { weights: weightPlace(table), y: placeOf(y) }, lanes, layout)];
  return table.shards.map((shard) => ({
    variants,
    resources: [shard.packed, y, batch],
    params: packParams(table.columns / blockColumns, shard.firstRow, shard.rows, { f32: scale }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  }));
}
