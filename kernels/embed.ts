/** Owns the embedding lookup: rows of a packed matrix as f32 activations. */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import { blockColumns, type PackedMatrix, packedStorages, type StorageWithKernels } from './weights.ts';

const bindings: readonly BindingKind[] = ['read', 'read', 'write', 'read', 'uniform'];

export function embedVariant(storage: StorageWithKernels, lanes: number, layout: Readonly<Record<string, number>>): Variant {
  const { stem } = packedStorages[storage];
  return { label: `embed/${stem}/sg${lanes}`, file: 'embed.wgsl', includes: { QUANT: `quant/${stem}.wgsl` }, constants: { LANES: lanes, ...layout }, bindings };
}

/** x[token] = row of the token's id; one operation a shard, each writes the tokens whose rows it holds. */
export function embed(table: PackedMatrix, x: Slice, batch: Slice, lanes: number, layout: Readonly<Record<string, number>>): Operation[] {
  const variants = [embedVariant(table.storage, lanes, layout)];
  return table.shards.map((shard) => ({
    variants,
    buffers: [shard.codes, shard.affine, x, batch],
    params: packParams(table.columns / blockColumns, shard.firstRow, shard.rows),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  }));
}
