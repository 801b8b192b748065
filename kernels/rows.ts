/** Owns what is made of rows of numbers as a whole: softmax, and the largest numbers with their ids. */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

/** `place`: of x and y. */
export function softmaxVariant(place: Place, lanes: number): Variant {
  return {
    label: `softmax/${place}/sg${lanes}`,
    file: 'softmax.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl`, PLACE_Y: `place/y_${place}.wgsl` },
    constants: { LANES: lanes },
    bindings: [bindingKind('read', place), bindingKind('write', place), 'uniform'],
  };
}

/** Rows x and y of `stride` f32, a multiple of 4, of which the first `length` count; what fills y's rows becomes 0. */
export function softmax(x: Vectors, y: Vectors, length: number, stride: number, over: 'tokens' | 'logitRows', lanes: number): Operation {
  return {
    variants: [softmaxVariant(placeOf(y), lanes)],
    resources: [x, y],
    params: packParams(stride / 4, length),
    choose: () => 0,
    gridX: (counts) => counts[over],
    gridY: () => 1,
  };
}

/** `place`: of x. */
export function topKVariant(k: number, maxRows: number, place: Place, lanes: number): Variant {
  return {
    label: `top_k/${place}/sg${lanes}`,
    file: 'top_k.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl` },
    constants: { LANES: lanes, K: k, ROWS: maxRows },
    bindings: [bindingKind('read', place), 'write', 'write', 'uniform'],
  };
}

export interface TopKArguments {
  /** [row][stride] f32, of which the first `length` count; stride: a multiple of 4. */
  readonly x: Vectors;
  /** [maxRows][k] ids, then [maxRows][k] f32 values, the largest first, equal ones by id; a row shorter than k ends in ids 0xffffffff. */
  readonly results: Slice;
  /** Scratch: [maxRows][k] words. */
  readonly gathered: Slice;
  readonly k: number;
  readonly length: number;
  readonly stride: number;
  readonly maxRows: number;
  readonly over: 'tokens' | 'logitRows';
  readonly lanes: number;
}

export function topK({ x, results, gathered, k, length, stride, maxRows, over, lanes }: TopKArguments): Operation {
  return {
    variants: [topKVariant(k, maxRows, placeOf(x), lanes)],
    resources: [x, results, gathered],
    params: packParams(stride / 4, length),
    choose: () => 0,
    gridX: (counts) => counts[over],
    gridY: () => 1,
  };
}
