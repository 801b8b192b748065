// The KV pool of a layer in a texture, to read: POOL_FOLD slots side by side in a row.
@group(0) @binding(POOL) var pool: texture_storage_2d<rgba32uint, read>;

fn poolAt(slot: u32, vector: u32) -> vec4u {
  return textureLoad(pool, vec2u(slot % POOL_FOLD * SLOT_VECTORS + vector, slot / POOL_FOLD));
}
