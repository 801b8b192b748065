// y = activate(gate) * up (lib/gate.wgsl); gate and up lie side by side in a row of the input. Only where gate and up are
// not one packed matrix: else it is the end of the matmul (epilogue/gated.wgsl).
const X = 0u;
const Y = 1u;

struct Shape {
  quads: u32,    // of gate, and of up
  limit: f32,
  upOffset: f32,
}
@group(0) @binding(2) var<uniform> shape: Shape;

#include PLACE_X
#include PLACE_Y
#include "lib/gate.wgsl"

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var quad = group.y * RUN * LANES + lane; quad < min(shape.quads, (group.y + 1u) * RUN * LANES); quad += LANES) {
    storeY(group.x, shape.quads, quad, gated(xAt(group.x, 2u * shape.quads, quad), xAt(group.x, 2u * shape.quads, shape.quads + quad)));
  }
}
