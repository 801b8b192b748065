// A vector for each sequence that a logit row is of: the mean of its rows of this step, the first of them, or the largest number of each
// channel (Reimers and Gurevych 2019). Rows are taken in their order, so that a sequence gives the same in every batch.
const X = 0u;
const BATCH = 2u;

struct Shape {
  quads: u32,
}
@group(0) @binding(1) var<storage, read_write> pooled: array<vec4f>;   // [logit row][quad]
@group(0) @binding(3) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include PLACE_X

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let sequence = batch[BATCH_ROWS + batch[BATCH_LOGIT_TOKENS + group.x]];
  let first = batch[BATCH_RUNS + sequence];
  let end = select(batch[BATCH_RUNS + sequence + 1u], first + 1u, TAKES_FIRST);
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    var all = xAt(first, shape.quads, quad);
    for (var token = first + 1u; token < end; token++) {
      let value = xAt(token, shape.quads, quad);
      all = select(all + value, max(all, value), TAKES_LARGEST);
    }
    pooled[group.x * shape.quads + quad] = select(all / f32(end - first), all, TAKES_LARGEST);
  }
}
