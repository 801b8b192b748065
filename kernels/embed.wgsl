// x[token, :] = W[id of token, :]. One lane takes one block of 32 columns.
enable subgroups;
const BATCH = 3u;

struct Shape {
  blocks: u32,
  firstRow: u32,   // rows of the table that this binding holds
  rows: u32,
}
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(4) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/weights.wgsl"
#include QUANT

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let row = batch[BATCH_IDS + token] - shape.firstRow;
  if (row >= shape.rows) {
    return;
  }
  let place = rowPlace(row, shape.blocks);
  for (var block = lane; block < shape.blocks; block += LANES) {
    let weights = loadBlock(place, block);
    let affine = blockAffine(weights);
    for (var quad = 0u; quad < 8u; quad++) {
      x[(token * shape.blocks + block) * 8u + quad] = blockCodes(weights, quad) * affine.x + affine.y;
    }
  }
}
