// y = norm(x) * activate(gate), head by head: the output of the gated delta rule, with an RMSNorm whose weights all heads share, and that of
// attention with a gate beside each query head, without one. Gates of GROUP heads lie together, groups PITCH quads apart. Where IS_SHARED says
// so a head has one gate, the first: an expert that all tokens have is weighed so.
const X = 0u;
const Y = 1u;
const GATES = 2u;
const NORM = 3u;

struct Shape {
  epsilon: f32,
}
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_Y
#include PLACE_GATES
#include HEAD_NORM
#include ACTIVATION

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let start = group.y * NORM_QUADS;
  let gates = GATE_START + group.y / GROUP * GATE_PITCH + group.y % GROUP * NORM_QUADS;
  let factor = headFactor(token, start, lane);
  for (var quad = lane; quad < NORM_QUADS; quad += LANES) {
    let value = weightedHead(xAt(token, HEADS * NORM_QUADS, start + quad) * factor, quad);
    let gate = gateAt(token, GATE_ROW_QUADS, gates + select(quad, 0u, IS_SHARED));
    storeY(token, HEADS * NORM_QUADS, start + quad, value * activate(select(gate, gate.xxxx, IS_SHARED)));
  }
}
