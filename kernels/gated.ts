/**
 * Owns activation functions and gated units, as matmuls end with them, and the kernel that gates rows of gate and up which are not one
 * packed matrix. Formulas and sources: activation/*.wgsl, lib/gate.wgsl.
 */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Variant, type Vectors } from './kernel.ts';

/** A file of activation/. `soft_cap` needs a limit. */
export type ActivationFunction = 'none' | 'silu' | 'gelu' | 'gelu_tanh' | 'gelu_quick' | 'relu' | 'relu_squared' | 'sigmoid' | 'tanh' | 'soft_cap';

/** activate(min(gate, limit)) * (clamp(up, -limit, limit) + upOffset). */
export interface Gate {
  readonly activation: ActivationFunction;
  /** Above 0; without it nothing is clamped. */
  readonly limit?: number;
  readonly upOffset?: number;
}

/** The forms that models have. DeepSeek-V4 is swiglu with a limit of its own. */
export const gates: Readonly<Record<'swiglu' | 'geglu' | 'gegluTanh' | 'gptOss', Gate>> = {
  swiglu: { activation: 'silu' },
  geglu: { activation: 'gelu' },
  gegluTanh: { activation: 'gelu_tanh' },
  gptOss: { activation: 'gelu_quick', limit: 7, upOffset: 1 },
};

/** Stands for no limit: the largest f32. */
export const noLimit = 3.4028234663852886e38;

/** Vectors of a lane. */
const run = 8;

/** `place`: of gate and up, and of y. */
export function gatedVariant(activation: ActivationFunction, place: Place, lanes: number): Variant {
  return {
    label: `gated/${activation}/${place}/sg${lanes}`,
    file: 'gated.wgsl',
    includes: {
      ACTIVATION: `activation/${activation}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_Y: `place/y_${place}.wgsl`,
      PLACE_UP: `place/up_${place}.wgsl`,
    },
    constants: { LANES: lanes, RUN: run },
    bindings: [bindingKind('read', place), bindingKind('write', place), bindingKind('read', place), 'uniform'],
  };
}

/** f32 at the beginning of rows of `stride`, or from `start` on; all in multiples of 4. */
export interface RowPart {
  readonly rows: Vectors;
  readonly stride: number;
  readonly start?: number;
}

export interface GatedArguments {
  readonly gate: Omit<RowPart, 'start'>;
  readonly up: RowPart;
  /** Columns of its rows past `columns` become zeros. Neither gate nor up, and like them in its kind of place. */
  readonly y: Omit<RowPart, 'start'>;
  readonly columns: number;
  readonly unit: Gate;
  readonly lanes: number;
}

export function gatedRows({ gate, up, y, columns, unit, lanes }: GatedArguments): Operation {
  const sizes = [gate.stride, up.stride, up.start ?? 0, y.stride].map((length) => length / 4);
  return {
    variants: [gatedVariant(unit.activation, placeOf(y.rows), lanes)],
    resources: [gate.rows, y.rows, up.rows],
    params: packParams(columns / 4, { f32: unit.limit ?? noLimit }, { f32: unit.upOffset ?? 0 }, ...sizes),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => Math.ceil(y.stride / 4 / (lanes * run)),
  };
}

/** gateUp: [token][2 * columns] f32, gate first; y: [token][columns] f32; both in one kind of place. columns: a multiple of 4. */
export function gated(gateUp: Vectors, y: Vectors, columns: number, unit: Gate, lanes: number): Operation {
  const both = { rows: gateUp, stride: 2 * columns };
  return gatedRows({ gate: both, up: { ...both, start: columns }, y: { rows: y, stride: columns }, columns, unit, lanes });
}
