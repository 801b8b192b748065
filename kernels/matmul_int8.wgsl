// Sum over columns of W[row, column] * x[token, column], x as int8 blocks of 32 (lib/int8.wgsl).
// FINISH says what becomes of the sums (epilogue/*.wgsl). Same shape as matmul_f32.

@group(0) @binding(1) var<storage, read> activations: array<vec4u>;   // [token][block][3]

#include SHUFFLES
#include "lib/matmul.wgsl"
#include "lib/weights.wgsl"
#include QUANT
#include ROWS
#include BIAS
#include FINISH

const LOADS = (TOKENS * 3u + LANES - 1u) / LANES;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = rowRange(group.y);
  if (range.first >= range.end) {
    return;
  }
  let blocks = shape.blocks;
  var sums: array<array<vec4f, QUADS>, TOKENS>;
  var part: array<u32, LOADS>;
  for (var load = 0u; load < LOADS; load++) {
    let index = load * LANES + lane;
    let token = inputRow(min(range.first + index / 3u, range.end - 1u));
    part[load] = token * blocks * 3u + index % 3u;
  }
  var places: array<QuadPlace, QUADS>;
  for (var q = 0u; q < QUADS; q++) {
    places[q] = quadPlace(range.firstQuad + min(quadOf(group.x, q, lane), shape.quads - 1u), blocks, shape.planeQuads);
  }

  for (var block = 0u; block < blocks; block++) {
    var loaded: array<vec4u, LOADS>;
    for (var load = 0u; load < LOADS; load++) {
      loaded[load] = activations[part[load] + block * 3u];
    }
    for (var q = 0u; q < QUADS; q++) {
      let affines = loadScales(places[q], block);
      for (var r = 0u; r < 4u; r++) {
        let weights = loadBlock(places[q], r, block);
        for (var t = 0u; t < TOKENS; t++) {
          let low = bitsFromLane(loaded[t * 3u / LANES], t * 3u % LANES);
          let high = bitsFromLane(loaded[(t * 3u + 1u) / LANES], (t * 3u + 1u) % LANES);
          let scales = bitcast<vec2f>(bitsFromLane(loaded[(t * 3u + 2u) / LANES], (t * 3u + 2u) % LANES).xy);
          sums[t][q][r] += blockDotInt8(weights, affineOf(affines, r, 0u), low, high, scales);
        }
      }
    }
  }

  for (var t = 0u; t < range.end - range.first; t++) {
    finish(group.x, lane, outputRow(range.first + t), biased(group.x, lane, range.firstBias, sums[t]));
  }
}
