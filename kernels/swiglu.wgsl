// h = silu(gate) * up (Shazeer 2020); gate and up lie side by side in a row of the input. Only where gate and up are
// not one packed matrix: else it is the end of the matmul (epilogue/swiglu.wgsl).
enable subgroups;
const X = 0u;
const Y = 1u;

struct Shape {
  blocks: u32,   // of gate, and of up
}
@group(0) @binding(2) var<uniform> shape: Shape;

#include PLACE_X
#include PLACE_Y

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let block = group.y * LANES + lane;
  if (block >= shape.blocks) {
    return;
  }
  let width = shape.blocks * 8u;
  for (var quad = block * 8u; quad < block * 8u + 8u; quad++) {
    let gate = xAt(token, 2u * width, quad);
    storeY(token, width, quad, gate / (1.0 + exp(-gate)) * xAt(token, 2u * width, width + quad));
  }
}
