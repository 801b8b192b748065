// Manifold-constrained hyper-connections, before a block (DeepSeek-V4): from the four streams h of a token and m = F h, all of h as one row,
//   m = m / sqrt(mean(h^2) + epsilon)
//   before = sigmoid(m[0..4] a0 + b[0..4]) + e,   after = 2 sigmoid(m[4..8] a1 + b[4..8]),   C = softmax of rows(m[8..] a2 + b[8..]) + e
//   C has its columns divided by their sums + e, then its rows and columns in turns: nearly doubly stochastic (Sinkhorn and Knopp 1967)
//   y = sum of before[i] h[i]
// Kept for what follows the block (streams_join.wgsl): after, C. Where streams end there is only `before` (JOINS is false). A token a workgroup;
// the small matrix is the same work in every lane.
const X = 0u;
const Y = 1u;
const UP = 2u;

struct Shape {
  turns: u32,      // of rows and columns; the first one has columns alone
  epsilon: f32,
  least: f32,      // e
}
@group(0) @binding(3) var<storage, read_write> kept: array<vec4f>;        // [token][after, C]
@group(0) @binding(4) var<uniform> biases: array<vec4f, MIX_QUADS>;
@group(0) @binding(5) var<uniform> scales: vec4f;
@group(0) @binding(6) var<uniform> shape: Shape;

#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_Y
#include PLACE_UP

const KEPT = 5u;

fn sigmoids(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-max(x, vec4f(-87.0))));
}

fn sumOf(x: vec4f) -> f32 {
  return x.x + x.y + x.z + x.w;
}

fn softmaxOf(x: vec4f) -> vec4f {
  let powers = exp(x - max(max(x.x, x.y), max(x.z, x.w)));
  return powers / sumOf(powers);
}

fn columnsOf(c: mat4x4f) -> mat4x4f {
  let sums = c[0] + c[1] + c[2] + c[3] + shape.least;
  return mat4x4f(c[0] / sums, c[1] / sums, c[2] / sums, c[3] / sums);
}

fn rowOf(row: vec4f) -> vec4f {
  return row / (sumOf(row) + shape.least);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  var squares = 0.0;
  for (var quad = lane; quad < 4u * ROW_QUADS; quad += LANES) {
    let value = xAt(token, 4u * ROW_QUADS, quad);
    squares += dot(value, value);
  }
  let factor = 1.0 / sqrt(lanesSum(squares) / f32(16u * ROW_QUADS) + shape.epsilon);
  let before = sigmoids(upAt(token, MIX_QUADS, 0u) * factor * scales.x + biases[0]) + shape.least;
  if (JOINS) {
    // A row of the matrix is a column of mat4x4f.
    var c = mat4x4f();
    #unroll
    for (var row = 0u; row < 4u; row++) {
      c[row] = softmaxOf(upAt(token, MIX_QUADS, min(2u + row, MIX_QUADS - 1u)) * factor * scales.z + biases[min(2u + row, MIX_QUADS - 1u)]) + shape.least;
    }
    c = columnsOf(c);
    for (var turn = 1u; turn < shape.turns; turn++) {
      c = columnsOf(mat4x4f(rowOf(c[0]), rowOf(c[1]), rowOf(c[2]), rowOf(c[3])));
    }
    if (lane == 0u) {
      kept[token * KEPT] = 2.0 * sigmoids(upAt(token, MIX_QUADS, 1u) * factor * scales.y + biases[min(1u, MIX_QUADS - 1u)]);
      #unroll
      for (var row = 0u; row < 4u; row++) {
        kept[token * KEPT + 1u + row] = c[row];
      }
    }
  }
  for (var quad = lane; quad < ROW_QUADS; quad += LANES) {
    var sum = vec4f();
    #unroll
    for (var i = 0u; i < 4u; i++) {
      sum += before[i] * xAt(token, 4u * ROW_QUADS, i * ROW_QUADS + quad);
    }
    storeY(token, ROW_QUADS, quad, sum);
  }
}
