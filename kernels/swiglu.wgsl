// h = silu(gate) * up (Shazeer 2020); gate and up lie side by side in a row of the input. Only where gate and up are
// not one packed matrix: else it is the end of the matmul (epilogue/swiglu.wgsl).
enable subgroups;

struct Shape {
  blocks: u32,   // of gate, and of up
}
@group(0) @binding(0) var<storage, read> gateUp: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> hidden: array<vec4f>;
@group(0) @binding(2) var<uniform> shape: Shape;


@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let block = group.y * LANES + lane;
  if (block >= shape.blocks) {
    return;
  }
  let gateAt = (token * 2u * shape.blocks + block) * 8u;
  for (var i = 0u; i < 8u; i++) {
    let gate = gateUp[gateAt + i];
    hidden[(token * shape.blocks + block) * 8u + i] = gate / (1.0 + exp(-gate)) * gateUp[gateAt + shape.blocks * 8u + i];
  }
}
