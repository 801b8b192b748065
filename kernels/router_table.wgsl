// Experts by a table of token ids (the first layers of DeepSeek-V4), a token a workgroup, in the form of router.wgsl:
//   ids: the row of the token's id; weight = score of the logit / (sum over the row + 1e-20, as in the models' own code) * scale
const X = 0u;
const BATCH = 3u;

@group(0) @binding(1) var<storage, read_write> routes: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;        // [token id][TOP_K]
@group(0) @binding(4) var<uniform> scale: vec4f;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_X
#include SCORE

fn scoreOf(token: u32, choice: u32) -> f32 {
  let expert = table[batch[BATCH_IDS + token] * TOP_K + choice];
  return score(xAt(token, EXPERT_QUADS, expert / 4u)[expert % 4u], 0.0);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  var own = 0.0;
  for (var choice = lane; choice < TOP_K; choice += LANES) {
    own += scoreOf(token, choice);
  }
  let factor = scale.x / (lanesSum(own) + 1.0e-20);
  for (var choice = lane; choice < TOP_K; choice += LANES) {
    routes[token * TOP_K + choice] = table[batch[BATCH_IDS + token] * TOP_K + choice];
    routes[ROUTE_WEIGHTS + token * TOP_K + choice] = bitcast<u32>(scoreOf(token, choice) * factor);
  }
}
