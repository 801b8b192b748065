// y = x / sqrt(mean(x^2) + epsilon) * weight as int8 blocks, a row a workgroup (Zhang and Sennrich 2019). With f32
// activations the norm is part of the matmul (input/normed.wgsl).
// GATHER: row i of y is the token that logit row i names; else row i is token i.
const X = 0u;
const NORM = 1u;
const OUTPUT = 2u;
const BATCH = 3u;

struct Shape {
  blocks: u32,
  epsilon: f32,
}
@group(0) @binding(4) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include "lib/int8.wgsl"
#include PLACE_X
#include "lib/norm.wgsl"

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let blocks = shape.blocks;
  let source = select(group.x, batch[BATCH_LOGIT_TOKENS + group.x], GATHER);
  var squares = vec4f();
  for (var i = lane; i < blocks * 8u; i += LANES) {
    let value = xAt(source, blocks * 8u, i);
    squares += value * value;
  }
  let mean = lanesSum(squares.x + squares.y + squares.z + squares.w) / f32(blocks * 32u);
  let factor = 1.0 / sqrt(mean + shape.epsilon);
  for (var block = lane; block < blocks; block += LANES) {
    var values: array<vec4f, 8>;
    for (var i = 0u; i < 8u; i++) {
      values[i] = xAt(source, blocks * 8u, block * 8u + i) * factor * normWeight(block * 8u + i);
    }
    storeBlock(group.x, blocks, block, values);
  }
}
