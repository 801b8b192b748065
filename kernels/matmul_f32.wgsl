// Sum over columns of W[row, column] * x[token, column], everything in f32 (exact). INPUT says what x is
// (input/*.wgsl), FINISH what becomes of the sums (epilogue/*.wgsl).
// On CPU devices this costs the same as int8 activations: a multiply-add of floats takes 0.47 ns, a quarter of dot4I8Packed.
// Same shape as matmul_int8: a lane owns ROWS rows, activations go round by shuffles.
enable subgroups;

@group(0) @binding(2) var<storage, read> activations: array<vec4f>;   // [token][block][8]

#include "lib/lanes.wgsl"
#include "lib/matmul.wgsl"
#include "lib/weights.wgsl"
#include QUANT
#include INPUT
#include FINISH

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
  var sums: array<array<f32, TOKENS>, ROWS>;
  var squares: array<f32, TOKENS>;
  var places: array<RowPlace, ROWS>;
  #unroll
  for (var r = 0u; r < ROWS; r++) {
    places[r] = rowPlace(min(rowOf(group.x, r, lane), shape.rows - 1u), blocks);
  }
  var rows: array<u32, TOKENS>;
  #unroll
  for (var t = 0u; t < TOKENS; t++) {
    rows[t] = inputRow(min(firstToken + t, tokens - 1u)) * blocks * 8u + lane % 8u;
  }

  for (var block = 0u; block < blocks; block++) {
    var weights: array<WeightBlock, ROWS>;
    #unroll
    for (var r = 0u; r < ROWS; r++) {
      weights[r] = loadBlock(places[r], block);
    }
    var loaded: array<array<vec4f, QUAD_LOADS>, TOKENS>;
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      #unroll
      for (var load = 0u; load < QUAD_LOADS; load++) {
        loaded[t][load] = activations[rows[t] + block * 8u + load * LANES];
      }
    }
    if (NORMED) {
      #unroll
      for (var load = 0u; load < QUAD_LOADS; load++) {
        let weight = normWeight(block * 8u + lane % 8u + load * LANES);
        #unroll
        for (var t = 0u; t < TOKENS; t++) {
          squares[t] += dot(loaded[t][load], loaded[t][load]);
          loaded[t][load] *= weight;
        }
      }
    }
    // Codes first, scale and offset once a block: sum (scale * code + offset) * x = scale * sum code * x + offset * sum x.
    var dots = array<array<f32, TOKENS>, ROWS>();
    #unroll
    for (var quad = 0u; quad < 8u; quad++) {
      var codes: array<vec4f, ROWS>;
      #unroll
      for (var r = 0u; r < ROWS; r++) {
        codes[r] = blockCodes(weights[r], quad);
      }
      #unroll
      for (var t = 0u; t < TOKENS; t++) {
        let x = fromLane(loaded[t][quad / LANES], quad % LANES);
        #unroll
        for (var r = 0u; r < ROWS; r++) {
          dots[r][t] += dot(codes[r], x);
        }
      }
    }
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      var total = 0.0;
      if (HAS_OFFSET) {
        var quads = vec4f();
        #unroll
        for (var load = 0u; load < QUAD_LOADS; load++) {
          quads += loaded[t][load];
        }
        total = blockSum(quads);
      }
      #unroll
      for (var r = 0u; r < ROWS; r++) {
        if (HAS_SCALE) {
          let affine = blockAffine(weights[r]);
          sums[r][t] += affine.x * dots[r][t] + affine.y * total;
        } else {
          sums[r][t] += dots[r][t];
        }
      }
    }
  }

  var results: array<array<f32, ROWS>, TOKENS>;
  #unroll
  for (var t = 0u; t < TOKENS; t++) {
    var factor = 1.0;
    if (NORMED) {
      // Past 8 lanes a quad lies in several of them.
      factor = 1.0 / sqrt(lanesSum(squares[t]) / f32(blocks * 32u * max(1u, LANES / 8u)) + shape.epsilon);
    }
    #unroll
    for (var r = 0u; r < ROWS; r++) {
      results[t][r] = sums[r][t] * factor;
    }
  }
  // How often this runs is not known when it is compiled, so the epilogue stands in the code once: eight copies of the
  // rotary one took a CPU device three times as long to compile as everything above.
  for (var t = 0u; t < min(TOKENS, tokens - firstToken); t++) {
    finish(group.x, lane, firstToken + t, results[t]);
  }
}
