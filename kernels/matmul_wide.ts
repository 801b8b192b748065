/**
 * Owns the shapes of the matmul kernels for GPUs: matmul_wide.wgsl for up to 8 tokens, matmul_tiles.wgsl for more, and
 * matmul_matrix.wgsl and matmul_matrix_int8.wgsl on units that multiply matrices. Refuses everything that they share with the narrow ones (matmul.ts).
 */
import { emulatedShuffles } from './compose.ts';
import { type MatrixUnit, unitParts } from './matrix_unit.ts';
import type { Tile } from './tiles.ts';
import { quadRows } from './weights.ts';

/** What of a variant depends on its family. */
export interface FamilyShape {
  readonly file: string;
  /** Quads of rows of a workgroup. */
  readonly quads: number;
  readonly includes: Readonly<Record<string, string>>;
  readonly constants: Readonly<Record<string, number>>;
}

const tileInvocations = 128;
/** A matrix of few rows has too few workgroups to fill a GPU with these, so its columns are split more ways. Measured on an H200. */
const fewRows = { rows: 8192, columns: 1024, invocations: 256 };
/** More would not fit into the 16 KiB of workgroup memory that every device has. */
const mostSubgroups = 8;
/** Lanes that workgroup memory stands in for where a subgroup holds less than one block of a tile. */
const emulatedLanes = 32;

/**
 * Splits of the columns depend on the lanes and the matrix alone, so that all tiles for a device add in one order.
 * Shuffles over the eight quads of a tile need eight lanes; with less they go through workgroup memory.
 */
export function wideShape(tile: Tile, deviceLanes: number, { rows, columns }: { readonly rows: number; readonly columns: number }): FamilyShape {
  const isEmulated = deviceLanes < 8;
  const lanes = isEmulated ? emulatedLanes : deviceLanes;
  if (tile.unit !== undefined) return matrixShape(tile, tile.unit, deviceLanes);
  const splitters = rows <= fewRows.rows && columns >= fewRows.columns ? fewRows.invocations : tileInvocations;
  const splitting = Math.max(1, Math.min(splitters / lanes, mostSubgroups));
  const includes: Record<string, string> = isEmulated ? { SHUFFLES: emulatedShuffles } : {};
  const groups = lanes / 8;
  const splits = groups * splitting;
  if (tile.tokens <= 8)
    return { file: 'matmul_wide.wgsl', quads: 8, includes, constants: { LANES: lanes, SUBGROUPS: splitting, SPLITS: splits, UNROLLED: unrolled(deviceLanes) } };
  return {
    file: 'matmul_tiles.wgsl',
    quads: 16,
    includes,
    constants: {
      LANES: lanes,
      SUBGROUPS: tileInvocations / lanes,
      SPLITS: splits,
      GROUPS: groups,
      LEVELS: Math.max(1, Math.log2(groups)),
      UNROLLED: unrolled(deviceLanes),
    },
  };
}

/** Quads of a block that are written out: all on a GPU; CPU devices, whose subgroups are smaller, would compile three times as long. */
function unrolled(deviceLanes: number): number {
  return deviceLanes >= 16 ? 8 : 1;
}

/** f32, and f16 beside shuffles through workgroup memory, leave room for half the rows of a tile. */
function matrixShape({ tokens }: Tile, unit: MatrixUnit, deviceLanes: number): FamilyShape {
  const isEmulated = deviceLanes < 8;
  const lanes = isEmulated ? emulatedLanes : deviceLanes;
  const { includes, constants } = unitParts(unit);
  const quads = unit.element === 'i8' || (unit.element === 'f16' && !isEmulated) ? 16 : 8;
  const fragments = (tokens / unit.m) * ((quads * quadRows) / unit.n);
  return {
    file: unit.element === 'i8' ? 'matmul_matrix_int8.wgsl' : 'matmul_matrix.wgsl',
    quads,
    includes: { ...includes, ...(isEmulated ? { SHUFFLES: emulatedShuffles } : {}) },
    constants: { ...constants, LANES: lanes, SUBGROUPS: Math.max(1, Math.min(tileInvocations / lanes, fragments)), UNROLLED: unrolled(deviceLanes) },
  };
}
