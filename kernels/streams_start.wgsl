// The four streams of a token: each of them the row x, or x added to a stream that there is; PLACE_SUM: to what, or nothing.
const X = 0u;
const Y = 1u;

#include PLACE_X
#include PLACE_Y
#include PLACE_SUM

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var quad = group.y * LANES * RUN + lane; quad < min(ROW_QUADS, (group.y + 1u) * LANES * RUN); quad += LANES) {
    let value = xAt(group.x, ROW_QUADS, quad);
    #unroll
    for (var k = 0u; k < 4u; k++) {
      let at = k * ROW_QUADS + quad;
      storeY(group.x, 4u * ROW_QUADS, at, sumAt(group.x, 4u * ROW_QUADS, at) + value);
    }
  }
}
