// Sum over columns of W[row, column] * x[token, column] for many tokens by units that multiply matrices of ELEMENT and add in f32
// (lib/subgroup_matrix_*.wgsl). A workgroup has TILE_QUADS quads of rows and TOKENS tokens; block after block lies in workgroup memory, and
// each subgroup multiplies FRAGMENTS of the M x N parts of the result. The units add in an order of their own, not that of matmul_wide.wgsl.
// Weights past the range of f16 are clamped to it. Activations are divided by a power of two for each token, so that the largest is
// below 2: the sums of long rows in a residual stream would not fit f16.

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

const INVOCATIONS = LANES * SUBGROUPS;
const RUNS = TILE_QUADS / QUADS;
const RESULT_STRIDE = TILE_QUADS * 4u;
// Parts of the result along its tokens.
const TOKEN_PARTS = TOKENS / M;
const FRAGMENTS = TOKEN_PARTS * (RESULT_STRIDE / N) / SUBGROUPS;
// Tokens that eight lanes find the scale of.
const LOADS = TOKENS * 8u / INVOCATIONS;
const LEFT_ROWS = TOKENS;              // [token][column]
const RIGHT_ROWS = TILE_QUADS * 4u;    // [row][column]; results [token][row]

#include "lib/matrix_tiles.wgsl"

var<workgroup> inverses: array<f32, TOKENS>;                           // what activations are multiplied by
var<workgroup> factors: array<f32, TOKENS>;                            // what results are multiplied by

// The scale of each token, and the factor of its norm, from all of its row.
fn prepare(lane: u32, range: RowRange, blocks: u32) {
  for (var load = 0u; load < LOADS; load++) {
    let token = load * (INVOCATIONS / 8u) + lane / 8u;
    let row = inputRow(min(range.first + token, range.end - 1u));
    var largest = 0.0;
    var squares = 0.0;
    for (var block = 0u; block < blocks; block++) {
      let quad = block * 8u + lane % 8u;
      let x = inputAt(row, blocks * 8u, quad);
      let size = abs(x * normWeight(quad));
      largest = max(largest, max(max(size.x, size.y), max(size.z, size.w)));
      squares += dot(x, x);
    }
    for (var mask = 1u; mask < 8u; mask *= 2u) {
      largest = max(largest, fromPartner(largest, mask));
      squares += fromPartner(squares, mask);
    }
    if (lane % 8u == 0u) {
      let scale = powerBelow(largest);
      inverses[token] = 1.0 / scale;
      factors[token] = scale * select(1.0, 1.0 / sqrt(squares / f32(blocks * 32u) + shape.epsilon), NORMED);
    }
  }
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = rowRange(group.y);
  if (range.first >= range.end) {
    return;
  }
  let blocks = shape.blocks;
  let firstFragment = lane / LANES * FRAGMENTS;
  prepare(lane, range, blocks);

  var sums: array<Result, FRAGMENTS>;
  for (var block = 0u; block < blocks; block++) {
    workgroupBarrier(); // what lies there has been read
    for (var i = lane; i < TOKENS * 8u; i += INVOCATIONS) {
      let token = i / 8u;
      let quad = block * 8u + i % 8u;
      let x = inputAt(inputRow(min(range.first + token, range.end - 1u)), blocks * 8u, quad);
      putLeft(token * STRIDE + i % 8u * 4u, x * normWeight(quad) * inverses[token]);
    }
    for (var i = lane; i < TILE_QUADS * 8u; i += INVOCATIONS) {
      let quad = i % TILE_QUADS;
      let r = i / TILE_QUADS % 4u;
      let half = i / (TILE_QUADS * 4u);
      let place = quadPlace(range.firstQuad + min(group.x * TILE_QUADS + quad, shape.quads - 1u), blocks, shape.planeQuads);
      let weights = loadBlock(place, r, block);
      let words = loadCodeWords(place, block);
      let scales = loadScales(place, block);
      for (var c = half * 4u; c < half * 4u + 4u; c++) {
        putRight((quad * 4u + r) * STRIDE + c * 4u, weightQuad(weights, words, scales, r, c));
      }
    }
    workgroupBarrier();
    #unroll
    for (var f = 0u; f < FRAGMENTS; f++) {
      let tokenPart = (firstFragment + f) % TOKEN_PARTS;
      let rowPart = (firstFragment + f) / TOKEN_PARTS;
      for (var k = 0u; k < 32u; k += K) {
        sums[f] = multiplyAdd(loadLeft(tokenPart * M * STRIDE + k), loadRightColumns(rowPart * N * STRIDE + k), sums[f], lane % LANES);
      }
    }
  }
  #unroll
  for (var f = 0u; f < FRAGMENTS; f++) {
    let tokenPart = (firstFragment + f) % TOKEN_PARTS;
    let rowPart = (firstFragment + f) / TOKEN_PARTS;
    storeResult(tokenPart * M * RESULT_STRIDE + rowPart * N, sums[f], lane % LANES);
  }
  workgroupBarrier();
  for (var i = lane; i < TOKENS * RUNS; i += INVOCATIONS) {
    let t = i / RUNS;
    let run = i % RUNS;
    if (range.first + t < range.end) {
      var results: array<vec4f, QUADS>;
      #unroll
      for (var q = 0u; q < QUADS; q++) {
        results[q] = resultQuad(t * RESULT_STRIDE + (run * QUADS + q) * 4u) * factors[t];
      }
      finish(group.x, run, outputRow(range.first + t), biased(group.x, run, range.firstBias, results));
    }
  }
}
