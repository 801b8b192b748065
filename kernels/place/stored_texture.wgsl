// The KV pool of a layer in a texture, to write: POOL_FOLD slots side by side in a row.
@group(0) @binding(POOL) var pool: texture_storage_2d<rgba32uint, write>;

fn storePool(slot: u32, vector: u32, value: vec4u) {
  textureStore(pool, vec2u(slot % POOL_FOLD * SLOT_VECTORS + vector, slot / POOL_FOLD), value);
}
