// Sum over columns of W[row, column] * x[token, column], everything in f32 (exact). INPUT says what x is
// (input/*.wgsl), FINISH what becomes of the sums (epilogue/*.wgsl), PLACE_* where everything lies (place/*.wgsl).
// A lane owns QUADS times four rows; the workgroup (one subgroup) shares the activations of TOKENS tokens: lanes load
// them together and hand them round by shuffles with constant lane numbers (1 ns, a uniform load costs 9).
enable subgroups;

#include "lib/lanes.wgsl"
#include "lib/matmul.wgsl"
#include "lib/rows.wgsl"
#include "lib/weights.wgsl"
#include PLACE_X
#include QUANT
#include INPUT
#include FINISH

const ROWS = QUADS * 4u;

fn fromLane(value: vec4f, lane: u32) -> vec4f {
  return vec4f(subgroupShuffle(value.x, lane), subgroupShuffle(value.y, lane), subgroupShuffle(value.z, lane), subgroupShuffle(value.w, lane));
}

// Sum of the block's 32 activations: its eight quads lie in eight lanes, or, summed, in fewer.
fn blockSum(quads: vec4f) -> f32 {
  var sum = quads.x + quads.y + quads.z + quads.w;
  for (var mask = min(LANES, 8u) / 2u; mask > 0u; mask /= 2u) {
    sum += subgroupShuffleXor(sum, mask);
  }
  return sum;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tokens = batch[shape.count];
  let blocks = shape.blocks;
  let firstToken = group.y * TOKENS;
  var sums: array<array<vec4f, QUADS>, TOKENS>;
  var squares: array<f32, TOKENS>;
  var places: array<QuadPlace, QUADS>;
  #unroll
  for (var q = 0u; q < QUADS; q++) {
    places[q] = quadPlace(min(quadOf(group.x, q, lane), shape.quads - 1u), blocks);
  }
  var rows: array<u32, TOKENS>;
  #unroll
  for (var t = 0u; t < TOKENS; t++) {
    rows[t] = inputRow(min(firstToken + t, tokens - 1u));
  }
  var codeScales: array<vec4f, QUAD_LOADS>;
  #unroll
  for (var load = 0u; load < QUAD_LOADS; load++) {
    codeScales[load] = codeScale(lane % 8u + load * LANES);
  }

  for (var block = 0u; block < blocks; block++) {
    var weights: array<array<WeightBlock, 4>, QUADS>;
    var affines: array<vec4u, QUADS>;
    #unroll
    for (var q = 0u; q < QUADS; q++) {
      #unroll
      for (var r = 0u; r < 4u; r++) {
        weights[q][r] = loadBlock(places[q], r, block);
      }
      if (HAS_SCALE) {
        affines[q] = quadAffine(places[q], block);
      }
    }
    var loaded: array<array<vec4f, QUAD_LOADS>, TOKENS>;
    var totals: array<f32, TOKENS>;
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      var quads = vec4f();
      #unroll
      for (var load = 0u; load < QUAD_LOADS; load++) {
        let quad = block * 8u + lane % 8u + load * LANES;
        var value = xAt(rows[t], blocks * 8u, quad);
        if (NORMED) {
          squares[t] += dot(value, value);
          value *= normWeight(quad);
        }
        quads += value;
        loaded[t][load] = value * codeScales[load];
      }
      if (HAS_OFFSET) {
        totals[t] = blockSum(quads);
      }
    }
    // Codes first, scale and offset once a block: sum (scale * code + offset) * x = scale * sum code * x + offset * sum x.
    var dots = array<array<vec4f, QUADS>, TOKENS>();
    #unroll
    for (var quad = 0u; quad < 8u; quad++) {
      var codes: array<array<vec4f, 4>, QUADS>;
      #unroll
      for (var q = 0u; q < QUADS; q++) {
        #unroll
        for (var r = 0u; r < 4u; r++) {
          codes[q][r] = blockCodes(weights[q][r], quad);
        }
      }
      #unroll
      for (var t = 0u; t < TOKENS; t++) {
        let x = fromLane(loaded[t][quad / LANES], quad % LANES);
        #unroll
        for (var q = 0u; q < QUADS; q++) {
          dots[t][q] += vec4f(dot(codes[q][0], x), dot(codes[q][1], x), dot(codes[q][2], x), dot(codes[q][3], x));
        }
      }
    }
    #unroll
    for (var q = 0u; q < QUADS; q++) {
      if (HAS_SCALE) {
        let first = affineOf(affines[q].x);
        let second = affineOf(affines[q].y);
        let third = affineOf(affines[q].z);
        let fourth = affineOf(affines[q].w);
        let scales = vec4f(first.x, second.x, third.x, fourth.x);
        let offsets = vec4f(first.y, second.y, third.y, fourth.y);
        #unroll
        for (var t = 0u; t < TOKENS; t++) {
          sums[t][q] += scales * dots[t][q];
          if (HAS_OFFSET) {
            sums[t][q] += offsets * totals[t];
          }
        }
      } else {
        #unroll
        for (var t = 0u; t < TOKENS; t++) {
          sums[t][q] += dots[t][q];
        }
      }
    }
  }

  var results: array<array<vec4f, QUADS>, TOKENS>;
  #unroll
  for (var t = 0u; t < TOKENS; t++) {
    var factor = 1.0;
    if (NORMED) {
      // Past 8 lanes a quad lies in several of them.
      factor = 1.0 / sqrt(lanesSum(squares[t]) / f32(blocks * 32u * max(1u, LANES / 8u)) + shape.epsilon);
    }
    #unroll
    for (var q = 0u; q < QUADS; q++) {
      results[t][q] = sums[t][q] * factor;
    }
  }
  // How often this runs is not known when it is compiled, so the epilogue stands in the code once: eight copies of the
  // rotary one took a CPU device three times as long to compile as everything above.
  for (var t = 0u; t < min(TOKENS, tokens - firstToken); t++) {
    finish(group.x, lane, firstToken + t, results[t]);
  }
}
