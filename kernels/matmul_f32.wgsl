// Sum over columns of W[row, column] * x[token, column], everything in f32 (exact). INPUT says what x is
// (input/*.wgsl), ROWS which rows of it (rows/*.wgsl), BIAS and FINISH what becomes of the sums (bias/, epilogue/*.wgsl), PLACE_* where
// everything lies (place/*.wgsl).
// A lane owns QUADS times four rows; the workgroup (one subgroup) shares the activations of TOKENS tokens: lanes load
// them together and hand them round by shuffles with constant lane numbers (1 ns, a uniform load costs 9).

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

// Quads of a part of a block that has a scale of its own.
const PART_QUADS = 8u / PARTS;

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
  var codeScales: array<vec4f, QUAD_LOADS>;
  #unroll
  for (var load = 0u; load < QUAD_LOADS; load++) {
    codeScales[load] = codeScale(lane % 8u + load * LANES);
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
    var loaded: array<array<vec4f, QUAD_LOADS>, TOKENS>;
    var totals: array<array<f32, PARTS>, TOKENS>;
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      var quads: array<vec4f, PARTS>;
      #unroll
      for (var part = 0u; part < PARTS; part++) {
        quads[part] = vec4f();
      }
      #unroll
      for (var load = 0u; load < QUAD_LOADS; load++) {
        let quad = block * 8u + lane % 8u + load * LANES;
        var value = inputAt(rows[t], blocks * 8u, quad);
        if (NORMED) {
          squares[t] += dot(value, value);
          value *= normWeight(quad);
        }
        #unroll
        for (var part = 0u; part < PARTS; part++) {
          // With one load the lanes of both halves have it; with two each half has its own.
          if (PARTS == 1u || QUAD_LOADS == 1u || load == part) {
            quads[part] += value;
          }
        }
        loaded[t][load] = value * codeScales[load];
      }
      if (HAS_OFFSET) {
        #unroll
        for (var part = 0u; part < PARTS; part++) {
          totals[t][part] = partSum(quads[part].x + quads[part].y + quads[part].z + quads[part].w, part);
        }
      }
    }
    // Codes first, then scale and offset, once for each part of a block that has its own:
    // sum (scale * code + offset) * x = scale * sum code * x + offset * sum x.
    #unroll
    for (var part = 0u; part < PARTS; part++) {
      var dots = array<array<vec4f, QUADS>, TOKENS>();
      #unroll
      for (var i = 0u; i < PART_QUADS; i++) {
        var codes: array<array<vec4f, 4>, QUADS>;
        #unroll
        for (var q = 0u; q < QUADS; q++) {
          #unroll
          for (var r = 0u; r < 4u; r++) {
            codes[q][r] = blockCodes(weights[q][r], words[q], r, part * PART_QUADS + i);
          }
        }
        #unroll
        for (var t = 0u; t < TOKENS; t++) {
          let x = fromLane(loaded[t][(part * PART_QUADS + i) / LANES], (part * PART_QUADS + i) % LANES);
          #unroll
          for (var q = 0u; q < QUADS; q++) {
            dots[t][q] += vec4f(dot(codes[q][0], x), dot(codes[q][1], x), dot(codes[q][2], x), dot(codes[q][3], x));
          }
        }
      }
      #unroll
      for (var q = 0u; q < QUADS; q++) {
        if (HAS_SCALE) {
          let affine = quadAffine(scales[q], part);
          #unroll
          for (var t = 0u; t < TOKENS; t++) {
            sums[t][q] += affine.factors * dots[t][q];
            if (HAS_OFFSET) {
              sums[t][q] += affine.offsets * totals[t][part];
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
  for (var t = 0u; t < range.end - range.first; t++) {
    finish(group.x, lane, outputRow(range.first + t), biased(group.x, lane, range.firstBias, results[t]));
  }
}
