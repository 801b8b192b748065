/**
 * Owns the kernels of manifold-constrained hyper-connections (DeepSeek-V4), whose residual is four streams: what a block gets of them
 * (streams_mix.wgsl), how its result joins them (streams_join.wgsl), and their start from one row. Refuses other counts of streams.
 */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

/** The only one there is. */
export const streamCount = 4;

/** Rows of what the streams are multiplied by: before, after, and a matrix of both; or before alone, where they end. */
export function mixLength(joins: boolean): number {
  return joins ? streamCount * (2 + streamCount) : streamCount;
}

/** Of a token, f32 that streams_mix leaves for streams_join. */
export const keptLength: number = streamCount * (1 + streamCount);

/** Vectors of a lane. */
const run = 8;

const common = (columns: number, lanes: number): Record<string, number> => ({ LANES: lanes, RUN: run, ROW_QUADS: columns / 4 });
const placesOf = (place: Place, names: readonly ('X' | 'Y' | 'UP')[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`PLACE_${name}`, `place/${name.toLowerCase()}_${place}.wgsl`]));

/** `columns`: of a stream; `place`: of all rows. */
export function streamsMixVariant(columns: number, joins: boolean, place: Place, lanes: number): Variant {
  return {
    label: `streams_mix/${columns}/${joins ? 'join' : 'end'}/${place}/sg${lanes}`,
    file: 'streams_mix.wgsl',
    includes: placesOf(place, ['X', 'Y', 'UP']),
    constants: { ...common(columns, lanes), JOINS: joins, MIX_QUADS: mixLength(joins) / 4 },
    bindings: [bindingKind('read', place), bindingKind('write', place), bindingKind('read', place), 'write', 'uniform', 'uniform', 'uniform'],
  };
}

export interface StreamsMix {
  /** [token][4][columns] f32. */
  readonly streams: Vectors;
  /** [token][mixLength] f32: the streams multiplied, not normed; in the kind of place of the streams, like y. */
  readonly mixes: Vectors;
  /** [token][columns] f32. */
  readonly y: Vectors;
  /** [token][keptLength] f32 in a storage buffer. */
  readonly kept: Slice;
  /** [mixLength] and [3] f32, or one where streams end, in uniform buffers. */
  readonly biases: Slice;
  readonly scales: Slice;
  readonly columns: number;
  readonly joins: boolean;
  /** Turns of Sinkhorn's iteration; what a mean of squares gets added; what coefficients and their sums get added. */
  readonly turns: number;
  readonly epsilon: number;
  readonly least: number;
  readonly lanes: number;
}

export function streamsMix({ streams, mixes, y, kept, biases, scales, columns, joins, turns, epsilon, least, lanes }: StreamsMix): Operation {
  return {
    variants: [streamsMixVariant(columns, joins, placeOf(y), lanes)],
    resources: [streams, y, mixes, kept, biases, scales],
    params: packParams(turns, { f32: epsilon }, { f32: least }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

export function streamsJoinVariant(columns: number, place: Place, lanes: number): Variant {
  return {
    label: `streams_join/${columns}/${place}/sg${lanes}`,
    file: 'streams_join.wgsl',
    includes: placesOf(place, ['X', 'Y', 'UP']),
    constants: common(columns, lanes),
    bindings: [bindingKind('read', place), bindingKind('write', place), bindingKind('read', place), 'read'],
  };
}

/** x: [token][columns] f32, what a block gave; streams and y: [token][4][columns], not the same. */
export function streamsJoin(x: Vectors, streams: Vectors, y: Vectors, kept: Slice, columns: number, lanes: number): Operation {
  return {
    variants: [streamsJoinVariant(columns, placeOf(y), lanes)],
    resources: [x, y, streams, kept],
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => Math.ceil(columns / 4 / (lanes * run)),
  };
}

export function streamsStartVariant(columns: number, place: Place, lanes: number, isAdded = false): Variant {
  return {
    label: `streams_start/${columns}/${isAdded ? 'add/' : ''}${place}/sg${lanes}`,
    file: 'streams_start.wgsl',
    includes: { ...placesOf(place, ['X', 'Y']), PLACE_SUM: `place/sum_${isAdded ? place : 'none'}.wgsl` },
    constants: { ...common(columns, lanes), EPILOGUE: 2 },
    bindings: [bindingKind('read', place), bindingKind('write', place), ...(isAdded ? [bindingKind('read', place)] : [])],
  };
}

/** x: [token][columns] f32; y: [token][4][columns], each stream x, or x added to a stream of `to`. */
export function streamsStart(x: Vectors, y: Vectors, columns: number, lanes: number, to?: Vectors): Operation {
  return {
    variants: [streamsStartVariant(columns, placeOf(y), lanes, to !== undefined)],
    resources: [x, y, ...(to === undefined ? [] : [to])],
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => Math.ceil(columns / 4 / (lanes * run)),
  };
}
