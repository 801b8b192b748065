// The router's choices in the order of experts, an expert a workgroup, without atomics: each counts the choices of lower experts,
// which is where its own begin, and writes these in ascending order. routes[ROUTE_OFFSETS + e]: where expert e begins;
// ROUTE_ORDER: numbers of choices (token * TOP_K + c).
const BATCH = 1u;

@group(0) @binding(0) var<storage, read_write> routes: array<u32>;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include "lib/count_before.wgsl"

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let expert = group.x;
  let choices = tokenCount() * TOP_K;
  // A lane takes neighbouring choices, so that its own come after those of the lanes before it.
  let run = (choices + LANES - 1u) / LANES;
  let start = min(choices, lane * run);
  let end = min(choices, start + run);
  var lower = 0u;
  var own = 0u;
  for (var i = start; i < end; i++) {
    lower += select(0u, 1u, routes[i] < expert);
    own += select(0u, 1u, routes[i] == expert);
  }
  let offset = u32(lanesSum(f32(lower)));
  var place = offset + countBefore(own, lane);
  if (lane == 0u) {
    routes[ROUTE_OFFSETS + expert] = offset;
  }
  if (expert == EXPERTS - 1u && lane == 0u) {
    routes[ROUTE_OFFSETS + EXPERTS] = choices;
  }
  for (var i = start; i < end; i++) {
    if (routes[i] == expert) {
      routes[ROUTE_ORDER + place] = i;
      place++;
    }
  }
}
