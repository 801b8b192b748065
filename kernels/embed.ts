/** Owns the embedding lookup: rows of a packed matrix as f32 activations, alone or added to others. */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import { resultLength } from './sample.ts';
import { blockColumns, type PackedMatrix, packedStorages, type StorageWithKernels, weightPlace } from './weights.ts';

export interface EmbedPlaces {
  readonly weights: Place;
  readonly y: Place;
}

export interface EmbedOptions {
  /** Which row a token gets: a file of lookup/. Default that of its id. */
  readonly lookup?: 'id' | 'position' | 'first' | 'next';
  /** For `next`: what the step has chosen, [logit row][resultLength] words. */
  readonly results?: Slice | undefined;
  readonly scale?: number | undefined;
  /** What the rows are added to; not y, but like it in its kind of place. */
  readonly to?: Vectors | undefined;
}

export interface EmbedForm {
  readonly lookup: NonNullable<EmbedOptions['lookup']>;
  readonly isAdded: boolean;
}

/** Rows by their ids. */
const plain: EmbedForm = { lookup: 'id', isAdded: false };

export function embedVariant(
  storage: StorageWithKernels,
  places: EmbedPlaces,
  lanes: number,
  layout: Readonly<Record<string, number>>,
  { lookup, isAdded }: EmbedForm = plain,
): Variant {
  const { stem } = packedStorages[storage];
  const isNext = lookup === 'next';
  return {
    label: ['embed', stem, ...(lookup === 'id' ? [] : [lookup]), ...(isAdded ? ['add'] : []), `${places.weights}-${places.y}`, `sg${lanes}`].join('/'),
    file: 'embed.wgsl',
    includes: {
      QUANT: `quant/${stem}.wgsl`,
      LOOKUP: `lookup/${lookup}.wgsl`,
      PLACE_W: `place/weights_${places.weights}.wgsl`,
      PLACE_Y: `place/y_${places.y}.wgsl`,
      PLACE_SUM: `place/sum_${isAdded ? places.y : 'none'}.wgsl`,
    },
    constants: { LANES: lanes, EPILOGUE: 3, RESULTS: 3 + Number(isAdded), RESULT_LENGTH: resultLength, SHAPE: 3 + Number(isAdded) + Number(isNext), ...layout },
    bindings: [
      bindingKind('read', places.weights, 'rgba32uint'),
      bindingKind('write', places.y),
      'read',
      ...(isAdded ? [bindingKind('read', places.y)] : []),
      ...(isNext ? (['read'] as const) : []),
      'uniform',
    ],
  };
}

/** y[token] = to[token] + the token's row, times `scale`; one operation a shard, each writes the tokens whose rows it holds. */
export function embed(
  table: PackedMatrix,
  y: Vectors,
  batch: Slice,
  lanes: number,
  layout: Readonly<Record<string, number>>,
  { lookup = 'id', scale = 1, to, results }: EmbedOptions = {},
): Operation[] {
  const variants = [embedVariant(table.storage, { weights: weightPlace(table), y: placeOf(y) }, lanes, layout, { lookup, isAdded: to !== undefined })];
  return table.shards.map((shard) => ({
    variants,
    resources: [shard.packed, y, batch, ...(to === undefined ? [] : [to]), ...(results === undefined ? [] : [results])],
    params: packParams(table.columns / blockColumns, shard.firstRow, shard.rows, { f32: scale }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  }));
}
