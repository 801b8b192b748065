// h = silu(gate) * up (Shazeer 2020); gate and up lie side by side in a row of the input.
enable subgroups;
const OUTPUT = 1u;

struct Shape {
  blocks: u32,   // of gate, and of up
}
@group(0) @binding(0) var<storage, read> gateUp: array<vec4f>;
@group(0) @binding(2) var<uniform> shape: Shape;

#include STORE

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let block = group.y * LANES + lane;
  if (block >= shape.blocks) {
    return;
  }
  let gateAt = (token * 2u * shape.blocks + block) * 8u;
  var values: array<vec4f, 8>;
  for (var i = 0u; i < 8u; i++) {
    let gate = gateUp[gateAt + i];
    values[i] = gate / (1.0 + exp(-gate)) * gateUp[gateAt + shape.blocks * 8u + i];
  }
  storeBlock(token, shape.blocks, block, values);
}
