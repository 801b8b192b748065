// y[token] = sum[token] + what the token's experts made of it, times their weights, in the order of the router's choices: the same
// sum in every batch. What it is added to may be nothing (place/sum_none.wgsl).
const X = 0u;
const Y = 1u;
const ROUTES = 2u;
const EPILOGUE = 3u;

struct Shape {
  quads: u32,   // of a row
  topK: u32,
}
@group(0) @binding(ROUTES) var<storage, read> routes: array<u32>;
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

#include PLACE_X
#include PLACE_Y
#include PLACE_SUM

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  for (var quad = group.y * RUN * LANES + lane; quad < min(shape.quads, (group.y + 1u) * RUN * LANES); quad += LANES) {
    var sum = vec4f();
    for (var choice = token * shape.topK; choice < (token + 1u) * shape.topK; choice++) {
      sum += bitcast<f32>(routes[ROUTE_WEIGHTS + choice]) * xAt(choice, shape.quads, quad);
    }
    storeY(token, shape.quads, quad, sumAt(token, shape.quads, quad) + sum);
  }
}
