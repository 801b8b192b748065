// y[token, row] (+)= sum over columns of W[row, column] * x[token, column], everything in f32 (exact).
// On CPU devices this costs the same as int8 activations: a multiply-add of floats takes 0.47 ns, a quarter of dot4I8Packed.
// Same shape as matmul_int8: a lane owns ROWS rows, activations go round by shuffles.
enable subgroups;

struct Shape {
  rows: u32,
  blocks: u32,       // columns / 32
  stride: u32,       // of y, in elements
  offset: u32,       // of this matrix inside a row of y
  count: u32,        // index of the token count in the batch header
}
@group(0) @binding(2) var<storage, read> activations: array<vec4f>;   // [token][block][8]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> batch: array<u32>;
@group(0) @binding(5) var<uniform> shape: Shape;

#include "lib/weights.wgsl"
#include QUANT

const LOADS = (8u + LANES - 1u) / LANES;

fn fromLane(value: vec4f, lane: u32) -> vec4f {
  return vec4f(subgroupShuffle(value.x, lane), subgroupShuffle(value.y, lane), subgroupShuffle(value.z, lane), subgroupShuffle(value.w, lane));
}

// Sum of the block's 32 activations: its eight quads lie in eight lanes, or in fewer lanes with several each.
fn blockSum(quads: array<vec4f, LOADS>) -> f32 {
  var all = vec4f();
  for (var load = 0u; load < LOADS; load++) {
    all += quads[load];
  }
  var sum = all.x + all.y + all.z + all.w;
  for (var mask = min(LANES, 8u) / 2u; mask > 0u; mask /= 2u) {
    sum += subgroupShuffleXor(sum, mask);
  }
  return sum;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tokens = batch[shape.count];
  let blocks = shape.blocks;
  let firstRow = group.x * (ROWS * LANES) + lane;
  let firstToken = group.y * TOKENS;
  var sums: array<array<f32, TOKENS>, ROWS>;
  var places: array<RowPlace, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    places[r] = rowPlace(min(firstRow + r * LANES, shape.rows - 1u), blocks);
  }
  var rows: array<u32, TOKENS>;
  for (var t = 0u; t < TOKENS; t++) {
    rows[t] = min(firstToken + t, tokens - 1u) * blocks * 8u + lane % 8u;
  }

  for (var block = 0u; block < blocks; block++) {
    var weights: array<WeightBlock, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
      weights[r] = loadBlock(places[r], block);
    }
    var loaded: array<array<vec4f, LOADS>, TOKENS>;
    for (var t = 0u; t < TOKENS; t++) {
      for (var load = 0u; load < LOADS; load++) {
        loaded[t][load] = activations[rows[t] + block * 8u + load * LANES];
      }
    }
    // Codes first, scale and offset once a block: sum (scale * code + offset) * x = scale * sum code * x + offset * sum x.
    var dots = array<array<f32, TOKENS>, ROWS>();
    for (var quad = 0u; quad < 8u; quad++) {
      var codes: array<vec4f, ROWS>;
      for (var r = 0u; r < ROWS; r++) {
        codes[r] = blockCodes(weights[r], quad);
      }
      for (var t = 0u; t < TOKENS; t++) {
        let x = fromLane(loaded[t][quad / LANES], quad % LANES);
        for (var r = 0u; r < ROWS; r++) {
          dots[r][t] += dot(codes[r], x);
        }
      }
    }
    for (var t = 0u; t < TOKENS; t++) {
      var total = 0.0;
      if (HAS_OFFSET) {
        total = blockSum(loaded[t]);
      }
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

  for (var t = 0u; t < TOKENS; t++) {
    for (var r = 0u; r < ROWS; r++) {
      let row = firstRow + r * LANES;
      if (firstToken + t < tokens && row < shape.rows) {
        let index = (firstToken + t) * shape.stride + shape.offset + row;
        y[index] = select(0.0, y[index], ACCUMULATE) + sums[r][t];
      }
    }
  }
}
