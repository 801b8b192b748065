// y = activate(gate) * up (lib/gate.wgsl), zeros in what y's rows have more; up is a part of rows of its own, or of the gate's. Only where
// gate and up are not one packed matrix: else it is the end of the matmul (epilogue/gated.wgsl).
const X = 0u;
const Y = 1u;
const UP = 2u;

struct Shape {
  quads: u32,      // of gate, and of up
  limit: f32,
  upOffset: f32,
  gateWidth: u32,  // quads in a row that has gate
  upWidth: u32,    // and up, where it begins at upStart
  upStart: u32,
  width: u32,      // of y
}
@group(0) @binding(3) var<uniform> shape: Shape;

#include PLACE_X
#include PLACE_Y
#include PLACE_UP
#include "lib/gate.wgsl"

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var quad = group.y * RUN * LANES + lane; quad < min(shape.width, (group.y + 1u) * RUN * LANES); quad += LANES) {
    var value = vec4f();
    if (quad < shape.quads) {
      value = gated(xAt(group.x, shape.gateWidth, quad), upAt(group.x, shape.upWidth, shape.upStart + quad));
    }
    storeY(group.x, shape.width, quad, value);
  }
}
