// Sum over columns of W[row, column] * x[token, column], x rounded to int8 with a scale for each block of 32, sums of products of codes
// exact. Same tiles, inputs and ends as matmul_f32.wgsl; every tile gives the same bits.
// One multiplication of words is two products and their sum: codes (a, b) as a + 2^16 b times numbers (x, y) as y + 2^16 x have
// a x + b y in their upper half, beside a y in the lower one, which is not needed. The codes (codes/*.wgsl) say of how many
// quads (RUN_QUADS) sums fit before the upper half is taken out; four and five bits do: see hasInt8.

#include "lib/lanes.wgsl"
#include "lib/matmul.wgsl"
#include "lib/weights.wgsl"
#include PLACE_X
#include QUANT
#include INPUT
#include ROWS
#include BIAS
#include FINISH
#include "lib/part_sum.wgsl"
#include "lib/quad_affine.wgsl"
#include "lib/round_int8.wgsl"

// Quads of a part of a block that has a scale of its own.
const PART_QUADS = 8u / PARTS;
const RUNS = PART_QUADS / RUN_QUADS;
// A word's rounding to its upper half: what lies in the lower one is less than half of 2^16.
const HALF = 0x8000;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = rowRange(group.y);
  if (range.first >= range.end) {
    return;
  }
  let blocks = shape.blocks;
  var sums: array<array<vec4f, QUADS>, TOKENS>;
  var squares: array<f32, TOKENS>;
  var places: array<QuadPlace, QUADS>;
  #unroll
  for (var q = 0u; q < QUADS; q++) {
    places[q] = quadPlace(range.firstQuad + min(quadOf(group.x, q, lane), shape.quads - 1u), blocks, shape.planeQuads);
  }
  var rows: array<u32, TOKENS>;
  #unroll
  for (var t = 0u; t < TOKENS; t++) {
    rows[t] = inputRow(min(range.first + t, range.end - 1u));
  }

  for (var block = 0u; block < blocks; block++) {
    var weights: array<array<WeightBlock, 4>, QUADS>;
    var words: array<CodeWords, QUADS>;
    var scales: array<Scales, QUADS>;
    #unroll
    for (var q = 0u; q < QUADS; q++) {
      #unroll
      for (var r = 0u; r < 4u; r++) {
        weights[q][r] = loadBlock(places[q], r, block);
      }
      words[q] = loadCodeWords(places[q], block);
      scales[q] = loadScales(places[q], block);
    }
    // Numbers of quads as pairs, their scale, and for each part their sum.
    var loaded: array<array<vec2i, QUAD_LOADS>, TOKENS>;
    var steps: array<f32, TOKENS>;
    var totals: array<array<f32, PARTS>, TOKENS>;
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      var values: array<vec4f, QUAD_LOADS>;
      var bits = 0u;
      #unroll
      for (var load = 0u; load < QUAD_LOADS; load++) {
        let quad = block * 8u + lane % 8u + load * LANES;
        var value = inputAt(rows[t], blocks * 8u, quad);
        if (NORMED) {
          squares[t] += dot(value, value);
          value *= normWeight(quad);
        }
        values[load] = value;
        bits = max(bits, quadMax(value));
      }
      let largest = blockMax(bits);
      let inverse = inverseOf(largest);
      steps[t] = stepOf(largest);
      var quads: array<f32, PARTS>;
      #unroll
      for (var part = 0u; part < PARTS; part++) {
        quads[part] = 0.0;
      }
      #unroll
      for (var load = 0u; load < QUAD_LOADS; load++) {
        let rounded = roundedBits(values[load], inverse);
        loaded[t][load] = rounded.zw - vec2i(ROUNDS_BITS) + (rounded.xy << vec2u(16u));
        let total = quadSum(rounded);
        #unroll
        for (var part = 0u; part < PARTS; part++) {
          // With one load the lanes of both halves have it; with two each half has its own.
          if (PARTS == 1u || QUAD_LOADS == 1u || load == part) {
            quads[part] += total;
          }
        }
      }
      if (HAS_OFFSET) {
        #unroll
        for (var part = 0u; part < PARTS; part++) {
          totals[t][part] = partSum(quads[part], part) * steps[t];
        }
      }
    }
    // Token after token, so that few sums are under way at once.
    #unroll
    for (var part = 0u; part < PARTS; part++) {
      // Of each row of a quad: codes of columns 0 and 2, and those of 1 and 3.
      var even: array<array<vec4i, QUADS>, PART_QUADS>;
      var odd: array<array<vec4i, QUADS>, PART_QUADS>;
      #unroll
      for (var i = 0u; i < PART_QUADS; i++) {
        #unroll
        for (var q = 0u; q < QUADS; q++) {
          let first = pairCodes(weights[q][0], words[q], 0u, part * PART_QUADS + i);
          let second = pairCodes(weights[q][1], words[q], 1u, part * PART_QUADS + i);
          let third = pairCodes(weights[q][2], words[q], 2u, part * PART_QUADS + i);
          let fourth = pairCodes(weights[q][3], words[q], 3u, part * PART_QUADS + i);
          even[i][q] = vec4i(first.x, second.x, third.x, fourth.x);
          odd[i][q] = vec4i(first.y, second.y, third.y, fourth.y);
        }
      }
      #unroll
      for (var t = 0u; t < TOKENS; t++) {
        var dots = array<vec4i, QUADS>();
        #unroll
        for (var run = 0u; run < RUNS; run++) {
          var products: array<vec4i, QUADS>;
          #unroll
          for (var q = 0u; q < QUADS; q++) {
            products[q] = vec4i(HALF);
          }
          #unroll
          for (var i = 0u; i < RUN_QUADS; i++) {
            let x = pairFromLane(loaded[t][(part * PART_QUADS + run * RUN_QUADS + i) / LANES], (part * PART_QUADS + run * RUN_QUADS + i) % LANES);
            #unroll
            for (var q = 0u; q < QUADS; q++) {
              products[q] += even[run * RUN_QUADS + i][q] * x.x;
              products[q] += odd[run * RUN_QUADS + i][q] * x.y;
            }
          }
          #unroll
          for (var q = 0u; q < QUADS; q++) {
            dots[q] += products[q] >> vec4u(16u);
          }
        }
        #unroll
        for (var q = 0u; q < QUADS; q++) {
          let affine = quadAffine(scales[q], part);
          sums[t][q] += affine.factors * (vec4f(dots[q]) * steps[t]);
          if (HAS_OFFSET) {
            sums[t][q] += affine.offsets * totals[t][part];
          }
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
  // Once in the code: see matmul_f32.wgsl.
  for (var t = 0u; t < range.end - range.first; t++) {
    finish(group.x, lane, outputRow(range.first + t), biased(group.x, lane, range.firstBias, results[t]));
  }
}
