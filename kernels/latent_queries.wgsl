// Queries of multi-head latent attention with absorbed weights (DeepSeek-AI 2024): what a head's plain channels multiply of a latent is
//   q . (W c) = (W^T q) . c
// so a query becomes [W^T q | rotated channels] * scale, as long as a latent row of the pool, for W the head's rows of key weights.
// A workgroup takes a head of TOKENS tokens; a lane has OWN_QUADS quads of columns at a time, and goes down the rows.
const X = 1u;
const Y = 2u;
const BATCH = 3u;

struct Shape {
  blocks: u32,       // of 32 columns
  rowQuads: u32,     // of a head's rows
  headPitch: u32,    // quads from a head's first row to the next one's
  headStart: u32,    // quad of the plane with which the first head's rows begin
  planeQuads: u32,
  firstHead: u32,    // in the plane
  scale: f32,
}
@group(0) @binding(4) var<storage, read> rotation: array<vec2f>;   // [position][pair] (cos, sin)
@group(0) @binding(5) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/weights.wgsl"
#include PLACE_X
#include PLACE_Y
#include QUANT
#include "lib/dequantize.wgsl"
#include "lib/turn_pairs.wgsl"

const INVOCATIONS = LANES * SUBGROUPS;
const RUNS = 8u / OWN_QUADS;   // of a block
const PLAIN_QUADS = INPUT_QUADS - (HEAD_QUADS - VALUE_QUADS);

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = shape.firstHead + group.x;
  let first = group.y * TOKENS;
  let end = min(first + TOKENS, tokenCount());
  let firstRow = group.x * shape.headPitch + shape.headStart;
  for (var run = lane; run < shape.blocks * RUNS; run += INVOCATIONS) {
    let block = run / RUNS;
    let firstQuad = run % RUNS * OWN_QUADS;
    var sums = array<array<vec4f, OWN_QUADS>, TOKENS>();
    for (var q = 0u; q < shape.rowQuads; q++) {
      let place = quadPlace(firstRow + q, shape.blocks, shape.planeQuads);
      let words = loadCodeWords(place, block);
      let scales = loadScales(place, block);
      var x = array<vec4f, TOKENS>();
      #unroll
      for (var t = 0u; t < TOKENS; t++) {
        x[t] = xAt(min(first + t, end - 1u), HEADS * INPUT_QUADS, head * INPUT_QUADS + q);
      }
      #unroll
      for (var r = 0u; r < 4u; r++) {
        let weights = loadBlock(place, r, block);
        #unroll
        for (var c = 0u; c < OWN_QUADS; c++) {
          let weight = weightQuad(weights, words, scales, r, firstQuad + c);
          #unroll
          for (var t = 0u; t < TOKENS; t++) {
            sums[t][c] += x[t][r] * weight;
          }
        }
      }
    }
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      if (first + t < end) {
        #unroll
        for (var c = 0u; c < OWN_QUADS; c++) {
          storeY(first + t, HEADS * HEAD_QUADS, head * HEAD_QUADS + block * 8u + firstQuad + c, sums[t][c] * shape.scale);
        }
      }
    }
  }
  for (var token = first; token < end; token++) {
    let turns = batch[BATCH_POSITIONS + token] * (ROTARY_LENGTH / 2u);
    for (var quad = lane; quad < HEAD_QUADS - VALUE_QUADS; quad += INVOCATIONS) {
      let turned = turnPairs(xAt(token, HEADS * INPUT_QUADS, head * INPUT_QUADS + PLAIN_QUADS + quad), turns + quad * 2u);
      storeY(token, HEADS * HEAD_QUADS, head * HEAD_QUADS + VALUE_QUADS + quad, turned * shape.scale);
    }
  }
}
