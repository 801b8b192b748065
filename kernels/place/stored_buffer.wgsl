// The KV pool of a layer in a buffer, to write: vectors of a slot one after the other.
@group(0) @binding(POOL) var<storage, read_write> pool: array<vec4u>;

fn storePool(slot: u32, vector: u32, value: vec4u) {
  pool[slot * SLOT_VECTORS + vector] = value;
}
