// Sum over columns of W[row, column] * x[token, column] for many tokens on a GPU, in f32: a workgroup has 16 quads of rows and
// TOKENS tokens, 32. Block after block, all invocations put weights as numbers and activations into workgroup memory; each
// then multiplies one quad by TOKENS / 8 tokens, whose sums it keeps in registers.
// Columns are added in the order of matmul_wide.wgsl, bit for bit: blocks in SPLITS parts, those of a subgroup there (GROUPS) joined
// in pairs, subgroups one after the other.

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

const RUNS = TILE_QUADS / QUADS;
const HALF_UNROLLED = (UNROLLED + 1u) / 2u;
const LANE_TOKENS = TOKENS / 8u;
// Rows of activations that an invocation helps to load: a quad of each. At most four, so that their sums of squares are one vector.
const LOADS = TOKENS / 16u;
// One more than there are, so that the quads of a token lie in different banks.
const X_STRIDE = TOKENS + 1u;

var<workgroup> weightTile: array<vec4f, 8u * 4u * TILE_QUADS>;   // [quad of columns][row of quad][quad]; at the end [token][quad]
var<workgroup> xTile: array<vec4f, 8u * X_STRIDE>;               // [quad of columns][token]
var<workgroup> factors: array<f32, TOKENS>;

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = rowRange(group.y);
  if (range.first >= range.end) {
    return;
  }
  let blocks = shape.blocks;
  // What it loads: half of one row of a quad, and quad lane % 8 of the columns of some tokens.
  let quad = lane % TILE_QUADS;
  let r = lane / TILE_QUADS % 4u;
  let half = lane / 64u;
  let place = quadPlace(range.firstQuad + min(group.x * TILE_QUADS + quad, shape.quads - 1u), blocks, shape.planeQuads);
  let xQuad = lane % 8u;
  var rows: array<u32, LOADS>;
  #unroll
  for (var load = 0u; load < LOADS; load++) {
    rows[load] = inputRow(min(range.first + load * 16u + lane / 8u, range.end - 1u));
  }
  // What it multiplies: `quad` by these tokens.
  let ownTokens = lane / TILE_QUADS * LANE_TOKENS;

  var totals: array<vec4f, LANE_TOKENS>;
  var held: array<array<vec4f, LANE_TOKENS>, LEVELS>;
  var squareTotals = vec4f();
  var squaresHeld: array<vec4f, LEVELS>;
  for (var part = 0u; part < SPLITS; part++) {
    var sums = array<vec4f, LANE_TOKENS>();
    var squares = vec4f();
    // What memory gives for a block is asked for before the block before it is multiplied.
    var nextBlock = min(part, blocks - 1u);
    var nextWeights = loadBlock(place, r, nextBlock);
    var nextWords = loadCodeWords(place, nextBlock);
    var nextScales = loadScales(place, nextBlock);
    var nextX: array<vec4f, LOADS>;
    #unroll
    for (var load = 0u; load < LOADS; load++) {
      nextX[load] = inputAt(rows[load], blocks * 8u, nextBlock * 8u + xQuad);
    }
    for (var block = part; block < blocks; block += SPLITS) {
      let weights = nextWeights;
      let words = nextWords;
      let scales = nextScales;
      workgroupBarrier(); // what lies there has been read
      for (var turn = 0u; turn < 4u; turn += HALF_UNROLLED) {
        #unroll
        for (var u = 0u; u < HALF_UNROLLED; u++) {
          let c = half * 4u + turn + u;
          weightTile[(c * 4u + r) * TILE_QUADS + quad] = weightQuad(weights, words, scales, r, c);
        }
      }
      #unroll
      for (var load = 0u; load < LOADS; load++) {
        let x = nextX[load];
        xTile[xQuad * X_STRIDE + load * 16u + lane / 8u] = x * normWeight(block * 8u + xQuad);
        if (NORMED) {
          squares[load] += dot(x, x);
        }
      }
      workgroupBarrier();
      nextBlock = min(block + SPLITS, blocks - 1u);
      nextWeights = loadBlock(place, r, nextBlock);
      nextWords = loadCodeWords(place, nextBlock);
      nextScales = loadScales(place, nextBlock);
      #unroll
      for (var load = 0u; load < LOADS; load++) {
        nextX[load] = inputAt(rows[load], blocks * 8u, nextBlock * 8u + xQuad);
      }
      for (var turn = 0u; turn < 8u; turn += UNROLLED) {
        #unroll
        for (var u = 0u; u < UNROLLED; u++) {
          let c = turn + u;
          let first = weightTile[(c * 4u + 0u) * TILE_QUADS + quad];
          let second = weightTile[(c * 4u + 1u) * TILE_QUADS + quad];
          let third = weightTile[(c * 4u + 2u) * TILE_QUADS + quad];
          let fourth = weightTile[(c * 4u + 3u) * TILE_QUADS + quad];
          #unroll
          for (var t = 0u; t < LANE_TOKENS; t++) {
            let x = xTile[c * X_STRIDE + ownTokens + t];
            sums[t] += vec4f(dot(first, x), dot(second, x), dot(third, x), dot(fourth, x));
          }
        }
      }
    }
    if (NORMED) {
      for (var mask = 1u; mask < 8u; mask *= 2u) {
        squares += quadFromPartner(squares, mask);
      }
    }
    // Parts 2i and 2i + 1, then what came of neighbouring pairs, as a butterfly over their lanes would join them.
    let inSubgroup = part % GROUPS;
    #unroll
    for (var level = 0u; level < LEVELS; level++) {
      let below = (1u << level) - 1u;
      if ((inSubgroup & below) == below) {
        if (((inSubgroup >> level) & 1u) == 1u) {
          #unroll
          for (var t = 0u; t < LANE_TOKENS; t++) {
            sums[t] = held[level][t] + sums[t];
          }
          squares = squaresHeld[level] + squares;
        } else {
          #unroll
          for (var t = 0u; t < LANE_TOKENS; t++) {
            held[level][t] = sums[t];
          }
          squaresHeld[level] = squares;
        }
      }
    }
    if (inSubgroup == GROUPS - 1u) {
      #unroll
      for (var t = 0u; t < LANE_TOKENS; t++) {
        totals[t] += sums[t];
      }
      squareTotals += squares;
    }
  }

  workgroupBarrier();
  #unroll
  for (var t = 0u; t < LANE_TOKENS; t++) {
    weightTile[(ownTokens + t) * TILE_QUADS + quad] = totals[t];
  }
  #unroll
  for (var load = 0u; load < LOADS; load++) {
    if (NORMED && xQuad == 0u) {
      factors[load * 16u + lane / 8u] = 1.0 / sqrt(squareTotals[load] / f32(blocks * 32u) + shape.epsilon);
    }
  }
  workgroupBarrier();
  for (var i = lane; i < TOKENS * RUNS; i += LANES * SUBGROUPS) {
    let t = i / RUNS;
    let run = i % RUNS;
    if (range.first + t < range.end) {
      var results: array<vec4f, QUADS>;
      #unroll
      for (var q = 0u; q < QUADS; q++) {
        results[q] = weightTile[t * TILE_QUADS + run * QUADS + q] * select(1.0, factors[t], NORMED);
      }
      finish(group.x, run, outputRow(range.first + t), biased(group.x, run, range.firstBias, results));
    }
  }
}
