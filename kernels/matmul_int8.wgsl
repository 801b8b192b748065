// Sum over columns of W[row, column] * x[token, column], x as int8 blocks of 32 (lib/int8.wgsl).
// FINISH says what becomes of the sums (epilogue/*.wgsl).
// A lane owns ROWS rows; the workgroup (one subgroup) shares the activations of TOKENS tokens: lanes load
// them together and hand them round by shuffles with constant lane numbers (1 ns, a uniform load costs 9).
enable subgroups;

@group(0) @binding(2) var<storage, read> activations: array<vec4u>;   // [token][block][3]

#include "lib/matmul.wgsl"
#include "lib/weights.wgsl"
#include QUANT
#include FINISH

const PARTS = TOKENS * 3u;
const LOADS = (PARTS + LANES - 1u) / LANES;

fn fromLane(value: vec4u, lane: u32) -> vec4u {
  return vec4u(subgroupShuffle(value.x, lane), subgroupShuffle(value.y, lane), subgroupShuffle(value.z, lane), subgroupShuffle(value.w, lane));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tokens = batch[shape.count];
  let blocks = shape.blocks;
  let firstToken = group.y * TOKENS;
  var sums: array<array<f32, TOKENS>, ROWS>;
  var part: array<u32, LOADS>;
  for (var load = 0u; load < LOADS; load++) {
    let index = load * LANES + lane;
    let token = min(firstToken + index / 3u, tokens - 1u);
    part[load] = token * blocks * 3u + index % 3u;
  }

  var places: array<RowPlace, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    places[r] = rowPlace(min(rowOf(group.x, r, lane), shape.rows - 1u), blocks);
  }

  for (var block = 0u; block < blocks; block++) {
    var loaded: array<vec4u, LOADS>;
    for (var load = 0u; load < LOADS; load++) {
      loaded[load] = activations[part[load] + block * 3u];
    }
    var weights: array<WeightBlock, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
      weights[r] = loadBlock(places[r], block);
    }
    for (var t = 0u; t < TOKENS; t++) {
      let low = fromLane(loaded[t * 3u / LANES], t * 3u % LANES);
      let high = fromLane(loaded[(t * 3u + 1u) / LANES], (t * 3u + 1u) % LANES);
      let last = loaded[(t * 3u + 2u) / LANES].xy;
      let scales = bitcast<vec2f>(vec2u(subgroupShuffle(last.x, (t * 3u + 2u) % LANES), subgroupShuffle(last.y, (t * 3u + 2u) % LANES)));
      for (var r = 0u; r < ROWS; r++) {
        sums[r][t] += blockDotInt8(weights[r], low, high, scales);
      }
    }
  }

  for (var t = 0u; t < TOKENS; t++) {
    if (firstToken + t < tokens) {
      var results: array<f32, ROWS>;
      for (var r = 0u; r < ROWS; r++) {
        results[r] = sums[r][t];
      }
      finish(group.x, lane, firstToken + t, results);
    }
  }
}
