// Sum over columns of W[row, column] * x[token, column] for many tokens, x rounded to int8 with a scale for each block of 32, by units that
// multiply matrices of int8 and add in i32 (lib/subgroup_matrix_int8_*.wgsl): sums of products of codes are exact. A workgroup has TILE_QUADS
// quads of rows and TOKENS tokens. Block after block, tokens and codes lie in workgroup memory, each subgroup multiplies FRAGMENTS of the
// M x N parts of the result, and since every block has scales of its own, invocations then add what came out to their sums in f32: the
// order of matmul_int8.wgsl. Refuses formats whose blocks have two scales.

#include SHUFFLES
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
#include MATRIX

const_assert PARTS == 1u;
const INVOCATIONS = LANES * SUBGROUPS;
const RUNS = TILE_QUADS / QUADS;
const RESULT_STRIDE = TILE_QUADS * 4u;
// Parts of the result along its tokens.
const TOKEN_PARTS = TOKENS / M;
const FRAGMENTS = TOKEN_PARTS * (RESULT_STRIDE / N) / SUBGROUPS;
// Tokens that eight lanes round.
const LOADS = TOKENS * 8u / INVOCATIONS;
// Tokens that an invocation adds up, with one run of quads: every ADDERS-th.
const ADDERS = INVOCATIONS / RUNS;
const SHARE = TOKENS / ADDERS;

// Rows of a tile lie as [row of quad][quad], so that neighbouring invocations, which have neighbouring quads, meet neighbouring words.
var<workgroup> leftTile: array<u32, TOKENS * STRIDE>;             // [token][four columns]
var<workgroup> rightTile: array<u32, TILE_QUADS * 4u * STRIDE>;   // [row][four columns]
var<workgroup> resultTile: array<i32, TOKENS * RESULT_STRIDE>;    // [token][row]
// Of a block and of the next, so that one is read while the other is written.
var<workgroup> steps: array<f32, 2u * TOKENS>;                    // what whole numbers are multiplied by
var<workgroup> totals: array<f32, 2u * TOKENS>;                   // sum of the rounded numbers
var<workgroup> factors: array<f32, TOKENS>;                       // of the norm

fn resultOf(token: u32, quad: u32) -> vec4i {
  let at = token * RESULT_STRIDE + quad;
  return vec4i(resultTile[at], resultTile[at + TILE_QUADS], resultTile[at + 2u * TILE_QUADS], resultTile[at + 3u * TILE_QUADS]);
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = rowRange(group.y);
  if (range.first >= range.end) {
    return;
  }
  let blocks = shape.blocks;
  let firstFragment = lane / LANES * FRAGMENTS;
  let run = lane % RUNS;
  let firstToken = lane / RUNS;
  var places: array<QuadPlace, QUADS>;
  #unroll
  for (var q = 0u; q < QUADS; q++) {
    places[q] = quadPlace(range.firstQuad + min(quadOf(group.x, q, run), shape.quads - 1u), blocks, shape.planeQuads);
  }
  var rows: array<u32, LOADS>;
  #unroll
  for (var load = 0u; load < LOADS; load++) {
    rows[load] = inputRow(min(range.first + load * (INVOCATIONS / 8u) + lane / 8u, range.end - 1u));
  }

  var sums: array<array<vec4f, QUADS>, SHARE>;
  var squares: array<f32, LOADS>;
  for (var block = 0u; block < blocks; block++) {
    let turn = block % 2u * TOKENS;
    #unroll
    for (var load = 0u; load < LOADS; load++) {
      let token = load * (INVOCATIONS / 8u) + lane / 8u;
      let quad = block * 8u + lane % 8u;
      let x = inputAt(rows[load], blocks * 8u, quad);
      if (NORMED) {
        squares[load] += dot(x, x);
      }
      let value = x * normWeight(quad);
      let largest = blockMax(quadMax(value));
      let rounded = roundedBits(value, inverseOf(largest));
      let total = partSum(quadSum(rounded), 0u);
      leftTile[token * STRIDE + lane % 8u] = pack4xI8(rounded);
      if (lane % 8u == 0u) {
        steps[turn + token] = stepOf(largest);
        totals[turn + token] = total * stepOf(largest);
      }
    }
    for (var i = lane; i < TILE_QUADS * 8u; i += INVOCATIONS) {
      let quad = i % TILE_QUADS;
      let r = i / TILE_QUADS % 4u;
      let half = i / (TILE_QUADS * 4u);
      let place = quadPlace(range.firstQuad + min(group.x * TILE_QUADS + quad, shape.quads - 1u), blocks, shape.planeQuads);
      let weights = loadBlock(place, r, block);
      let words = loadCodeWords(place, block);
      for (var c = half * 4u; c < half * 4u + 4u; c++) {
        rightTile[(r * TILE_QUADS + quad) * STRIDE + c] = codeBytes(weights, words, r, c);
      }
    }
    workgroupBarrier();
    for (var f = 0u; f < FRAGMENTS; f++) {
      let tokenPart = (firstFragment + f) % TOKEN_PARTS;
      let rowPart = (firstFragment + f) / TOKEN_PARTS;
      var dots = Result();
      for (var word = 0u; word < 8u; word += K / 4u) {
        dots = multiplyAdd(loadLeft(tokenPart * M * STRIDE + word), loadRight(rowPart * N * STRIDE + word), dots, lane % LANES);
      }
      storeResult(tokenPart * M * RESULT_STRIDE + rowPart * N, dots, lane % LANES);
    }
    workgroupBarrier();
    #unroll
    for (var q = 0u; q < QUADS; q++) {
      let affine = quadAffine(loadScales(places[q], block), 0u);
      #unroll
      for (var t = 0u; t < SHARE; t++) {
        let token = firstToken + t * ADDERS;
        let dots = vec4f(resultOf(token, run * QUADS + q));
        sums[t][q] += affine.factors * (dots * steps[turn + token]);
        if (HAS_OFFSET) {
          sums[t][q] += affine.offsets * totals[turn + token];
        }
      }
    }
  }

  if (NORMED) {
    #unroll
    for (var load = 0u; load < LOADS; load++) {
      var sum = squares[load];
      for (var mask = 1u; mask < 8u; mask *= 2u) {
        sum += fromPartner(sum, mask);
      }
      if (lane % 8u == 0u) {
        factors[load * (INVOCATIONS / 8u) + lane / 8u] = 1.0 / sqrt(sum / f32(blocks * 32u) + shape.epsilon);
      }
    }
    workgroupBarrier();
  }
  // By way of places that only this invocation has, so that `finish` is in the code once.
  #unroll
  for (var q = 0u; q < QUADS; q++) {
    #unroll
    for (var t = 0u; t < SHARE; t++) {
      let token = firstToken + t * ADDERS;
      let at = token * RESULT_STRIDE + run * QUADS + q;
      let bits = bitcast<vec4i>(sums[t][q] * select(1.0, factors[token], NORMED));
      resultTile[at] = bits.x;
      resultTile[at + TILE_QUADS] = bits.y;
      resultTile[at + 2u * TILE_QUADS] = bits.z;
      resultTile[at + 3u * TILE_QUADS] = bits.w;
    }
  }
  for (var token = firstToken; token < range.end - range.first; token += ADDERS) {
    var results: array<vec4f, QUADS>;
    #unroll
    for (var q = 0u; q < QUADS; q++) {
      results[q] = bitcast<vec4f>(resultOf(token, run * QUADS + q));
    }
    finish(group.x, run, outputRow(range.first + token), biased(group.x, run, range.firstBias, results));
  }
}
