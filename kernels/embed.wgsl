// y[token, :] = sum[token, :] + W[row of token, :] * scale; PLACE_SUM: what is added to, or nothing; LOOKUP: which row it is. One lane takes
// one block of 32 columns.
const Y = 1u;
const BATCH = 2u;

struct Shape {
  blocks: u32,
  firstRow: u32,   // rows of the table that this binding holds
  rows: u32,
  scale: f32,
}
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include LOOKUP
#include PLACE_Y
#include PLACE_SUM
#include QUANT
#include "lib/weights.wgsl"
#include "lib/dequantize.wgsl"

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let row = rowOf(token) - shape.firstRow;
  if (row >= shape.rows) {
    return;
  }
  let place = quadPlace(row / 4u, shape.blocks, (shape.rows + 3u) / 4u);
  for (var block = lane; block < shape.blocks; block += LANES) {
    let weights = loadBlock(place, row % 4u, block);
    let words = loadCodeWords(place, block);
    let scales = loadScales(place, block);
    for (var quad = 0u; quad < 8u; quad++) {
      let at = block * 8u + quad;
      let value = weightQuad(weights, words, scales, row % 4u, quad) * shape.scale;
      storeY(token, shape.blocks * 8u, at, sumAt(token, shape.blocks * 8u, at) + value);
    }
  }
}
