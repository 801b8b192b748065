// Sum over columns of W[row, column] * x[token, column] for a few tokens on a GPU, in f32. A workgroup has one tile of eight quads
// of rows. Neighbouring invocations read neighbouring vectors of weights: eight of them the quads of one block, the next eight the
// next block, so that columns are split SPLITS ways over lanes and subgroups.
// Sums are joined by shuffles over the upper bits of the lane, then over subgroups through workgroup memory. matmul_tiles.wgsl adds
// in the same order, so a token's result does not depend on how many stand beside it.

#include SHUFFLES
#include "lib/matmul.wgsl"
#include "lib/weights.wgsl"
#include PLACE_X
#include QUANT
#include INPUT
#include ROWS
#include BIAS
#include FINISH
#include "lib/dequantize.wgsl"

// Runs of QUADS quads, each of which the epilogue takes at once.
const RUNS = TILE_QUADS / QUADS;
// Sums of squares go to partners four at a time: an exchange may cost two barriers.
const SQUARE_QUADS = (TOKENS + 3u) / 4u;

var<workgroup> parts: array<vec4f, TOKENS * SUBGROUPS * 8u>;
var<workgroup> squareParts: array<f32, TOKENS * SUBGROUPS>;

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = rowRange(group.y);
  if (range.first >= range.end) {
    return;
  }
  let blocks = shape.blocks;
  let width = blocks * 8u;
  let quad = lane % TILE_QUADS;
  let place = quadPlace(range.firstQuad + min(group.x * TILE_QUADS + quad, shape.quads - 1u), blocks, shape.planeQuads);
  var rows: array<u32, TOKENS>;
  #unroll
  for (var t = 0u; t < TOKENS; t++) {
    rows[t] = inputRow(min(range.first + t, range.end - 1u));
  }
  var sums: array<vec4f, TOKENS>;
  var squares: array<vec4f, SQUARE_QUADS>;

  for (var block = lane / 8u; block < blocks; block += SPLITS) {
    var weights: array<WeightBlock, 4>;
    #unroll
    for (var r = 0u; r < 4u; r++) {
      weights[r] = loadBlock(place, r, block);
    }
    let words = loadCodeWords(place, block);
    let scales = loadScales(place, block);
    for (var turn = 0u; turn < 8u; turn += UNROLLED) {
      #unroll
      for (var u = 0u; u < UNROLLED; u++) {
        let c = turn + u;
        let first = weightQuad(weights[0], words, scales, 0u, c);
        let second = weightQuad(weights[1], words, scales, 1u, c);
        let third = weightQuad(weights[2], words, scales, 2u, c);
        let fourth = weightQuad(weights[3], words, scales, 3u, c);
        #unroll
        for (var t = 0u; t < TOKENS; t++) {
          let x = inputAt(rows[t], width, block * 8u + c) * normWeight(block * 8u + c);
          sums[t] += vec4f(dot(first, x), dot(second, x), dot(third, x), dot(fourth, x));
        }
      }
    }
    if (NORMED) {
      #unroll
      for (var t = 0u; t < TOKENS; t++) {
        let own = inputAt(rows[t], width, block * 8u + quad);
        squares[t / 4u][t % 4u] += dot(own, own);
      }
    }
  }

  for (var mask = 8u; mask < LANES; mask *= 2u) {
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      sums[t] += quadFromPartner(sums[t], mask);
    }
  }
  if (NORMED) {
    for (var mask = 1u; mask < LANES; mask *= 2u) {
      #unroll
      for (var s = 0u; s < SQUARE_QUADS; s++) {
        squares[s] += quadFromPartner(squares[s], mask);
      }
    }
  }
  let subgroup = lane / LANES;
  if (lane % LANES < 8u) {
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      parts[(t * SUBGROUPS + subgroup) * 8u + quad] = sums[t];
      if (quad == 0u) {
        squareParts[t * SUBGROUPS + subgroup] = squares[t / 4u][t % 4u];
      }
    }
  }
  workgroupBarrier();

  for (var i = lane; i < TOKENS * RUNS; i += LANES * SUBGROUPS) {
    let t = i / RUNS;
    let run = i % RUNS;
    if (range.first + t < range.end) {
      var factor = 1.0;
      if (NORMED) {
        var total = 0.0;
        for (var s = 0u; s < SUBGROUPS; s++) {
          total += squareParts[t * SUBGROUPS + s];
        }
        factor = 1.0 / sqrt(total / f32(blocks * 32u) + shape.epsilon);
      }
      var results: array<vec4f, QUADS>;
      #unroll
      for (var q = 0u; q < QUADS; q++) {
        var total = vec4f();
        for (var s = 0u; s < SUBGROUPS; s++) {
          total += parts[(t * SUBGROUPS + s) * 8u + run * QUADS + q];
        }
        results[q] = total * factor;
      }
      finish(group.x, run, outputRow(range.first + t), biased(group.x, run, range.firstBias, results));
    }
  }
}
