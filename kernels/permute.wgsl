// y[i, j] = x[row, order[j]], a row a workgroup: activations in the order of columns that were sorted by group. NORMED (input/*.wgsl):
// also times weight[order[j]] / sqrt(mean(x^2) + epsilon), because a norm's weights are in the order of x.
const X = 0u;
const Y = 1u;
const BATCH = 3u;

struct Shape {
  quads: u32,      // in a row
  epsilon: f32,
}
@group(0) @binding(2) var<storage, read> order: array<vec4u>;
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_Y
#include INPUT

fn numberAt(row: u32, column: u32) -> f32 {
  let quad = column / 4u;
  return xAt(row, shape.quads, quad)[column % 4u] * normWeight(quad)[column % 4u];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = select(group.x, batch[BATCH_LOGIT_TOKENS + group.x], GATHER);
  var factor = 1.0;
  if (NORMED) {
    var squares = vec4f();
    for (var i = lane; i < shape.quads; i += LANES) {
      let value = xAt(row, shape.quads, i);
      squares += value * value;
    }
    factor = 1.0 / sqrt(lanesSum(squares.x + squares.y + squares.z + squares.w) / f32(shape.quads * 4u) + shape.epsilon);
  }
  for (var i = lane; i < shape.quads; i += LANES) {
    let columns = order[i];
    storeY(group.x, shape.quads, i, factor * vec4f(numberAt(row, columns.x), numberAt(row, columns.y), numberAt(row, columns.z), numberAt(row, columns.w)));
  }
}
