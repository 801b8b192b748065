// Joins the partial sums of a token's items: o = sum e^(m_i - m) * partial_i / sum e^(m_i - m) * total_i.
// One lane takes one block of 32 output columns.
enable subgroups;
const OUTPUT = 2u;
const BATCH = 3u;

@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read> states: array<vec2f>;

#include "lib/batch.wgsl"
#include STORE

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let first = batch[BATCH_TOKEN_ITEMS + token];
  let last = batch[BATCH_TOKEN_ITEMS + token + 1u];
  let blocks = HEADS * HEAD_QUADS / 8u;
  for (var block = lane; block < blocks; block += LANES) {
    var result: array<vec4f, 8>;
    for (var i = 0u; i < 8u; i++) {
      let quad = block * 8u + i;
      let head = quad / HEAD_QUADS;
      var largest = states[first * HEADS + head].x;
      for (var item = first + 1u; item < last; item++) {
        largest = max(largest, states[item * HEADS + head].x);
      }
      var sum = vec4f();
      var total = 0.0;
      for (var item = first; item < last; item++) {
        let state = states[item * HEADS + head];
        let weight = exp(state.x - largest);
        sum += weight * partials[item * (HEADS * HEAD_QUADS) + quad];
        total += weight * state.y;
      }
      result[i] = sum / total;
    }
    storeBlock(token, blocks, block, result);
  }
}
