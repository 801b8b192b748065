// Activations as plain f32, eight vec4f a block of 32.
@group(0) @binding(OUTPUT) var<storage, read_write> stored: array<vec4f>;

fn storeBlock(row: u32, blocks: u32, block: u32, values: array<vec4f, 8>) {
  for (var i = 0u; i < 8u; i++) {
    stored[(row * blocks + block) * 8u + i] = values[i];
  }
}
