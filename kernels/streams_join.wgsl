// Manifold-constrained hyper-connections, after a block (DeepSeek-V4): with what streams_mix.wgsl has kept, from the block's result x and streams h
//   y[k] = after[k] x + sum over j of C[j][k] h[j]
const X = 0u;
const Y = 1u;
const UP = 2u;

@group(0) @binding(3) var<storage, read> kept: array<vec4f>;        // [token][after, C]

#include PLACE_X
#include PLACE_Y
#include PLACE_UP

const KEPT = 5u;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let after = kept[token * KEPT];
  for (var quad = group.y * LANES * RUN + lane; quad < min(ROW_QUADS, (group.y + 1u) * LANES * RUN); quad += LANES) {
    let result = xAt(token, ROW_QUADS, quad);
    var sums = array<vec4f, 4>();
    #unroll
    for (var k = 0u; k < 4u; k++) {
      sums[k] = after[k] * result;
    }
    #unroll
    for (var j = 0u; j < 4u; j++) {
      let stream = upAt(token, 4u * ROW_QUADS, j * ROW_QUADS + quad);
      let row = kept[token * KEPT + 1u + j];
      #unroll
      for (var k = 0u; k < 4u; k++) {
        sums[k] += row[k] * stream;
      }
    }
    #unroll
    for (var k = 0u; k < 4u; k++) {
      storeY(token, 4u * ROW_QUADS, k * ROW_QUADS + quad, sums[k]);
    }
  }
}
