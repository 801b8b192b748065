// Rows of f32 activations as int8 blocks; one lane takes one block of 32.
const X = 0u;
const OUTPUT = 1u;

struct Shape {
  blocks: u32,
}
@group(0) @binding(2) var<uniform> shape: Shape;

#include "lib/int8.wgsl"
#include PLACE_X

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var block = lane; block < shape.blocks; block += LANES) {
    var values: array<vec4f, 8>;
    for (var i = 0u; i < 8u; i++) {
      values[i] = xAt(group.x, shape.blocks * 8u, block * 8u + i);
    }
    storeBlock(group.x, shape.blocks, block, values);
  }
}
