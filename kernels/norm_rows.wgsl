// Norms of rows, or of equal parts of them, each a workgroup; NORM_KIND (norm/*.wgsl) is the formula. PLACE_SUM: what the result is added to, or nothing:
//   y = (sum + norm(x)) * scale
// With f32 activations a norm before a matmul is part of it (input/normed.wgsl); these are the others: after a block, or with a mean.
const X = 0u;
const Y = 1u;

struct Shape {
  quads: u32,     // of a part
  width: u32,     // of a row
  epsilon: f32,
  scale: f32,
}
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_Y
#include PLACE_SUM
#include NORM_KIND

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let start = group.y * shape.quads;
  let mean = rowMean(row, start, lane);
  var squares = vec4f();
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    let value = xAt(row, shape.width, start + quad) - mean;
    squares += value * value;
  }
  let factor = 1.0 / sqrt(lanesSum(squares.x + squares.y + squares.z + squares.w) / f32(shape.quads * 4u) + shape.epsilon);
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    let normed = weighted((xAt(row, shape.width, start + quad) - mean) * factor, quad);
    storeY(row, shape.width, start + quad, (sumAt(row, shape.width, start + quad) + normed) * shape.scale);
  }
}
