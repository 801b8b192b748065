// Heads of a row, or the whole row as one, normed by themselves if asked, then their last channels turned by position (interleaved pairs), forwards
// or back: queries, keys and results of DeepSeek-V4's attention, in which a key is a value too and brings its turn along. NORM_KIND
// (norm/*.wgsl) is the formula of the norm. A head a workgroup. A row of y may stand BEHIND rows of each sequence of the step further down.
const X = 0u;
const Y = 1u;
const BATCH = 2u;

struct Shape {
  quads: u32,       // of a head
  turning: u32,     // first quad that turns
  side: f32,        // 1, or -1: back
  epsilon: f32,
}
@group(0) @binding(3) var<storage, read> rotation: array<vec2f>;   // [position][pair] (cos, sin)
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_Y
#include NORM_KIND

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let width = HEADS * shape.quads;
  let start = group.y * shape.quads;
  var squares = 0.0;
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    let value = xAt(token, width, start + quad);
    squares += dot(value, value);
  }
  let factor = select(1.0, 1.0 / sqrt(lanesSum(squares) / f32(shape.quads * 4u) + shape.epsilon), IS_NORMED);
  let turn = batch[BATCH_POSITIONS + token] * (shape.quads - shape.turning) * 2u;
  let row = token + (batch[BATCH_ROWS + token] + 1u) * BEHIND;
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    var value = weighted(xAt(token, width, start + quad) * factor, quad);
    if (quad >= shape.turning) {
      let first = rotation[turn + (quad - shape.turning) * 2u] * vec2f(1.0, shape.side);
      let second = rotation[turn + (quad - shape.turning) * 2u + 1u] * vec2f(1.0, shape.side);
      value = value * vec4f(first.xx, second.xx) + vec4f(-value.y, value.x, -value.w, value.z) * vec4f(first.yy, second.yy);
    }
    storeY(row, width, start + quad, value);
  }
}
