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
const HALF_UNROLLED = (UNROLLED + 1u) / 2u;
const RESULT_STRIDE = TILE_QUADS * 4u;
// Parts of the result along its tokens.
const TOKEN_PARTS = TOKENS / M;
const FRAGMENTS = TOKEN_PARTS * (RESULT_STRIDE / N) / SUBGROUPS;
// Tokens that eight lanes find the scale of.
const LOADS = TOKENS * 8u / INVOCATIONS;
const LEFT_ROWS = TOKENS;              // [token][column]
const RIGHT_ROWS = TILE_QUADS * 4u;    // [row of quad][quad][column], so that neighbouring lanes write to different banks; results [token][row of quad][quad]
// Quads of activations, and halves of rows of weights, that an invocation brings.
const X_LOADS = TOKENS * 8u / INVOCATIONS;
const WEIGHT_LOADS = (TILE_QUADS * 8u + INVOCATIONS - 1u) / INVOCATIONS;

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
    // Several at a time, because memory is waited for.
    for (var block = 0u; block < blocks; block += HALF_UNROLLED) {
      var xs: array<vec4f, HALF_UNROLLED>;
      #unroll
      for (var i = 0u; i < HALF_UNROLLED; i++) {
        xs[i] = inputAt(row, blocks * 8u, min(block + i, blocks - 1u) * 8u + lane % 8u);
      }
      #unroll
      for (var i = 0u; i < HALF_UNROLLED; i++) {
        let size = abs(xs[i] * normWeight(min(block + i, blocks - 1u) * 8u + lane % 8u));
        largest = max(largest, max(max(size.x, size.y), max(size.z, size.w)));
        squares += select(0.0, dot(xs[i], xs[i]), block + i < blocks);
      }
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
  var rows: array<u32, X_LOADS>;
  var xs: array<vec4f, X_LOADS>;
  #unroll
  for (var i = 0u; i < X_LOADS; i++) {
    rows[i] = inputRow(min(range.first + (i * INVOCATIONS + lane) / 8u, range.end - 1u));
    xs[i] = inputAt(rows[i], blocks * 8u, lane % 8u);
  }
  var places: array<QuadPlace, WEIGHT_LOADS>;
  var weights: array<WeightBlock, WEIGHT_LOADS>;
  var words: array<CodeWords, WEIGHT_LOADS>;
  var scales: array<Scales, WEIGHT_LOADS>;
  #unroll
  for (var i = 0u; i < WEIGHT_LOADS; i++) {
    let index = i * INVOCATIONS + lane;
    places[i] = quadPlace(range.firstQuad + min(group.x * TILE_QUADS + index % TILE_QUADS, shape.quads - 1u), blocks, shape.planeQuads);
    weights[i] = loadBlock(places[i], index / TILE_QUADS % 4u, 0u);
    words[i] = loadCodeWords(places[i], 0u);
    scales[i] = loadScales(places[i], 0u);
  }
  for (var block = 0u; block < blocks; block++) {
    workgroupBarrier(); // what lies there has been read
    #unroll
    for (var i = 0u; i < X_LOADS; i++) {
      let token = (i * INVOCATIONS + lane) / 8u;
      putLeft(token * STRIDE + lane % 8u * 4u, xs[i] * normWeight(block * 8u + lane % 8u) * inverses[token]);
    }
    #unroll
    for (var i = 0u; i < WEIGHT_LOADS; i++) {
      let index = i * INVOCATIONS + lane;
      let r = index / TILE_QUADS % 4u;
      let half = index / (TILE_QUADS * 4u);
      if (index < TILE_QUADS * 8u) {
        for (var turn = 0u; turn < 4u; turn += HALF_UNROLLED) {
          #unroll
          for (var u = 0u; u < HALF_UNROLLED; u++) {
            let c = half * 4u + turn + u;
            putRight((r * TILE_QUADS + index % TILE_QUADS) * STRIDE + c * 4u, weightQuad(weights[i], words[i], scales[i], r, c));
          }
        }
      }
    }
    workgroupBarrier();
    // What memory gives for the next block is asked for before this one is multiplied.
    let next = min(block + 1u, blocks - 1u);
    #unroll
    for (var i = 0u; i < X_LOADS; i++) {
      xs[i] = inputAt(rows[i], blocks * 8u, next * 8u + lane % 8u);
    }
    #unroll
    for (var i = 0u; i < WEIGHT_LOADS; i++) {
      weights[i] = loadBlock(places[i], (i * INVOCATIONS + lane) / TILE_QUADS % 4u, next);
      words[i] = loadCodeWords(places[i], next);
      scales[i] = loadScales(places[i], next);
    }
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
        let at = t * RESULT_STRIDE + run * QUADS + q;
        results[q] = vec4f(resultTile[at], resultTile[at + TILE_QUADS], resultTile[at + 2u * TILE_QUADS], resultTile[at + 3u * TILE_QUADS]) * factors[t];
      }
      finish(group.x, run, outputRow(range.first + t), biased(group.x, run, range.firstBias, results));
    }
  }
}
