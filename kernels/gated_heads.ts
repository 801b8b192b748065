/** Owns gates of heads (gated_heads.wgsl): of attention's output, and of the gated delta rule's with its norm. */
import type { ActivationFunction } from './gated.ts';
import { type BindingKind, bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

export interface HeadGates {
  readonly heads: number;
  /** Channels of a head, and of its gate; a multiple of 4. */
  readonly headLength: number;
  readonly activation: ActivationFunction;
  /** Channels of a row with gates; where the first gate begins, and the first of the next `group` heads. Multiples of 4. */
  readonly rowLength: number;
  readonly start: number;
  readonly pitch: number;
  /** Heads whose gates lie one after the other. */
  readonly group: number;
  /** All of a head by its first gate. */
  readonly isShared?: boolean;
}

/** `place`: of x, gates and y. */
export function gatedHeadsVariant(shape: HeadGates, isNormed: boolean, place: Place, lanes: number): Variant {
  const { heads, headLength, activation, rowLength, start, pitch, group, isShared = false } = shape;
  const bindings: BindingKind[] = [bindingKind('read', place), bindingKind('write', place), bindingKind('read', place)];
  if (isNormed) bindings.push('uniform');
  return {
    label: `gated_heads/${activation}/d${headLength}/${isNormed ? 'normed' : 'plain'}${isShared ? '-shared' : ''}/${place}/sg${lanes}`,
    file: 'gated_heads.wgsl',
    includes: {
      HEAD_NORM: `head_norm/${isNormed ? 'rms' : 'none'}.wgsl`,
      ACTIVATION: `activation/${activation}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_Y: `place/y_${place}.wgsl`,
      PLACE_GATES: `place/gates_${place}.wgsl`,
    },
    constants: {
      LANES: lanes,
      HEADS: heads,
      NORM_QUADS: headLength / 4,
      GATE_ROW_QUADS: rowLength / 4,
      GATE_START: start / 4,
      GATE_PITCH: pitch / 4,
      GROUP: group,
      IS_SHARED: isShared,
      SHAPE: bindings.push('uniform') - 1,
    },
    bindings,
  };
}

export interface GatedHeadsBuffers {
  /** [token][head][head length] f32, and y the same, all in one kind of place. */
  readonly x: Vectors;
  readonly gates: Vectors;
  readonly y: Vectors;
  /** [head length] f32 in a uniform buffer. */
  readonly norm?: { readonly weight: Slice; readonly epsilon: number } | undefined;
}

export function gatedHeads(shape: HeadGates, { x, gates, y, norm }: GatedHeadsBuffers, lanes: number): Operation {
  return {
    variants: [gatedHeadsVariant(shape, norm !== undefined, placeOf(y), lanes)],
    resources: [x, y, gates, ...(norm === undefined ? [] : [norm.weight])],
    params: packParams({ f32: norm?.epsilon ?? 0 }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => shape.heads,
  };
}
