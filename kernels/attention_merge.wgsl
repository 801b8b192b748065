// Joins the partial sums of tokens that have several items:
// o = sum e^(m_i - m) * partial_i / sum e^(m_i - m) * total_i, and the sink if there are any. One lane takes one quad of the output.
const Y = 2u;
const BATCH = 3u;
const SINKS = 4u;

@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read> states: array<vec2f>;

#include "lib/batch.wgsl"
#include PLACE_Y
#include SINK

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let first = batch[BATCH_TOKEN_ITEMS + token];
  let last = batch[BATCH_TOKEN_ITEMS + token + 1u];
  if (last - first == 1u) {
    return; // attention has written it
  }
  for (var quad = group.y * LANES + lane; quad < HEADS * VALUE_QUADS; quad += LANES * groups.y) {
    let head = quad / VALUE_QUADS;
    var largest = states[first * HEADS + head].x;
    for (var item = first + 1u; item < last; item++) {
      largest = max(largest, states[item * HEADS + head].x);
    }
    var sum = vec4f();
    var total = 0.0;
    for (var item = first; item < last; item++) {
      let state = states[item * HEADS + head];
      let weight = exp(state.x - largest);
      sum += weight * partials[item * (HEADS * VALUE_QUADS) + quad];
      total += weight * state.y;
    }
    let ends = withSink(head, largest, total);
    storeY(token, HEADS * VALUE_QUADS, quad, sum * ends.x / ends.y);
  }
}
