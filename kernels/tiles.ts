/**
 * Owns what a choice of tiles is judged by: how a shape is named, in which order a tile adds, and which tiles may take turns
 * in one process. Refuses to measure: the tuner does.
 */
import { type MatmulWork, type Tile, tileName } from './matmul.ts';

/** `Q4_1 960 x 576, f32, normed, rope, f16 KV`. */
export function workName({ storage, rows, columns, activations, isNormed, finish, kv }: MatmulWork): string {
  return [`${storage} ${rows} x ${columns}`, activations, ...(isNormed ? ['normed'] : []), finish, ...(kv === undefined ? [] : [`${kv} KV`])].join(', ');
}

/**
 * Tiles of one order add the products of a row in the same order, and so give the same bits: all narrow tiles go block after block, all wide
 * ones split the columns in one way (matmul_wide.wgsl, matmul_tiles.wgsl), matrix units have an order of their own.
 */
function sumOrder({ family = 'narrow' }: Tile): string {
  return family;
}

/**
 * What of a choice may stay where a result must not depend on what else is in the batch: the tiles that add in the order of the first, which
 * decodes. Without the others, larger steps take the largest of those that are left several times.
 */
export function pinTiles(tiles: readonly Tile[], orderOf: (tile: Tile) => string = sumOrder): readonly Tile[] {
  const [first] = tiles;
  return first === undefined ? tiles : tiles.filter((tile) => orderOf(tile) === orderOf(first));
}

/** `t1q2 t2q1 t4q1`. */
export function tileNames(tiles: readonly Tile[]): string {
  return tiles.map(tileName).join(' ');
}
