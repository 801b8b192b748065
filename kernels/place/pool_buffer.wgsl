// The KV pool of a layer in a buffer, to read: vectors of a slot one after the other.
@group(0) @binding(POOL) var<storage, read> pool: array<vec4u>;

fn poolAt(slot: u32, vector: u32) -> vec4u {
  return pool[slot * SLOT_VECTORS + vector];
}
