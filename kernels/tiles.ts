/**
 * Owns the tiles of a matmul: the built-in ones for each class of devices, those that are worth a measurement, their names and those of
 * the shapes that they are chosen for. Refuses to measure: the tuner does.
 */
import type { AttentionShape } from './attention.ts';
import { type MatrixUnit, unitName } from './matrix_unit.ts';
import type { Activations, StorageWithKernels } from './weights.ts';

/** What becomes of a matmul's sums: see Finish of matmul.ts. */
export type FinishKind = 'store' | 'add' | 'gated' | 'rope';

export type KernelFamily = 'narrow' | 'wide' | 'matrix';

/** Tokens of a workgroup, and quads of rows of a lane. Larger tiles load less but take long to compile on CPU devices. */
export interface Tile {
  readonly tokens: number;
  /** Outside of the narrow family those that the epilogue takes at once. */
  readonly quads: number;
  /** Default `narrow`. */
  readonly family?: KernelFamily;
  /** Of the family `matrix`. */
  readonly unit?: MatrixUnit;
}

/** What tiles depend on, of a device and of what is asked of it: see steadyFamily. */
export interface TileFacts {
  readonly lanes: number;
  /** Default `narrow`. */
  readonly family?: KernelFamily | undefined;
  /** With the family `matrix`. */
  readonly matrixUnit?: MatrixUnit | undefined;
  /** With the family `matrix`, for int8 activations; its element is i8. */
  readonly int8Unit?: MatrixUnit | undefined;
}

/** Of a device. */
export function tileFacts({ subgroupSize: lanes, family, matrixUnit, int8Unit }: Omit<TileFacts, 'lanes'> & { readonly subgroupSize: number }): TileFacts {
  return { lanes, family, matrixUnit, int8Unit };
}

/** What a matmul is, as far as the choice of its tiles goes. */
export interface MatmulWork {
  readonly storage: StorageWithKernels;
  readonly rows: number;
  readonly columns: number;
  readonly activations: Activations['format'];
  readonly isNormed: boolean;
  readonly finish: FinishKind;
  /** Storage of the KV pool, where `rope` stores to it. */
  readonly kv?: AttentionShape['kv'];
}

/**
 * The family whose tiles all add the products of a row in the same order, and so give the same bits: narrow tiles go block after block, wide
 * ones split the columns in one way. Matrix units have an order of their own, and a few tokens would take wide tiles beside them.
 */
export function steadyFamily(family: KernelFamily, isDeterministic: boolean): KernelFamily {
  return isDeterministic && family === 'matrix' ? 'wide' : family;
}

const narrowTiles: readonly Tile[] = [
  { tokens: 1, quads: 2 },
  { tokens: 2, quads: 1 },
  { tokens: 4, quads: 1 },
  { tokens: 8, quads: 1 },
];
/** Here the int8 activations of a token cost more than their products, so two quads share them. */
const narrowInt8Tiles: readonly Tile[] = [1, 2, 4, 8].map((tokens) => ({ tokens, quads: 2 }));
/** SwiftShader, the device with four lanes, pays much for each load of activations: more rows share it. */
const fewLanesTiles: readonly Tile[] = [
  { tokens: 1, quads: 4 },
  { tokens: 2, quads: 4 },
  { tokens: 4, quads: 4 },
];

/** Quads worth a measurement for each number of tokens; more would not fit into the registers. Each costs up to two seconds of compiling. */
const quadsToTime: readonly (readonly [tokens: number, quads: readonly number[]])[] = [
  [1, [1, 2, 4]],
  [2, [1, 2]],
  [4, [1, 2]],
  [8, [1, 2]],
];
const fewLanesQuadsToTime: typeof quadsToTime = [
  [1, [2, 4]],
  [2, [2, 4]],
  [4, [2, 4]],
  [8, [2]],
];

/** What the tuner chooses from, the built-in tiles among them: in ascending order of tokens, each once. */
export function candidateTiles(facts: TileFacts, work: Pick<MatmulWork, 'activations' | 'finish'>): readonly Tile[] {
  const built = standardTiles(facts, work);
  const isNarrow = built.every(({ family = 'narrow' }) => family === 'narrow');
  if (!isNarrow) return [...built, ...rivalsOf(built, facts, work)];
  const narrow = (facts.lanes < 8 ? fewLanesQuadsToTime : quadsToTime).flatMap(([tokens, all]) => all.map((quads) => ({ tokens, quads })));
  const missing = built.filter((tile) => !narrow.some((candidate) => tileName(candidate) === tileName(tile)));
  return [...narrow, ...missing].sort((a, b) => a.tokens - b.tokens);
}

/** A GPU's wide kernels differ in tokens alone; matrix units have them as rivals, and those of int8 the units that multiply f16. */
function rivalsOf(built: readonly Tile[], facts: TileFacts, work: Pick<MatmulWork, 'activations' | 'finish'>): Tile[] {
  const names = new Set(built.map(tileName));
  const others = [standardTiles(facts, { ...work, activations: 'f32' }), standardTiles({ ...facts, family: 'wide' }, work)].flat();
  return others.filter((tile) => {
    const isNew = !names.has(tileName(tile));
    names.add(tileName(tile));
    return isNew;
  });
}

/** Up to eight tokens share what is read of the weights; more go through workgroup memory, and through matrix units where they are. */
const wideTokens = [1, 2, 4, 8];
const tileTokens = 32;

/** The built-in choice: tiles in ascending order of tokens. int8 activations are the narrow family's and those of int8 units; others multiply f32. */
export function standardTiles(
  { lanes, family = 'narrow', matrixUnit, int8Unit }: TileFacts,
  { activations, finish }: Pick<MatmulWork, 'activations' | 'finish'>,
): readonly Tile[] {
  if (family !== 'narrow') {
    // Invocations of a tile end one by one, so each needs both of its quads.
    const quads = takesPairs(finish) ? 2 : 1;
    const unit = (activations === 'int8' ? int8Unit : undefined) ?? matrixUnit;
    const most: Tile = family === 'matrix' && unit !== undefined ? { tokens: tileTokens, quads, family, unit } : { tokens: tileTokens, quads, family: 'wide' };
    return [...wideTokens.map((tokens): Tile => ({ tokens, quads, family: 'wide' })), most];
  }
  if (lanes < 8) return fewLanesTiles;
  if (activations === 'int8') return narrowInt8Tiles;
  return narrowTiles;
}

/** Gated units need gate and up together, the KV pool two quads at once: both in a lane, or in two neighbours. */
export function takesPairs(finish: FinishKind): boolean {
  return finish === 'gated' || finish === 'rope';
}

/** `t1q2`, `t32q1/wide`: the name of a tile in labels, tables and the tuner's file. */
export function tileName({ tokens, quads, family = 'narrow', unit }: Tile): string {
  const name = unit === undefined ? [] : [unitName(unit)];
  return [`t${tokens}q${quads}`, ...(family === 'narrow' ? [] : [family]), ...name].join('/');
}

/** `Q4_1 960 x 576, f32, normed, rope, f16 KV`. */
export function workName({ storage, rows, columns, activations, isNormed, finish, kv }: MatmulWork): string {
  return [`${storage} ${rows} x ${columns}`, activations, ...(isNormed ? ['normed'] : []), finish, ...(kv === undefined ? [] : [`${kv} KV`])].join(', ');
}
