// RMSNorm of a head (Zhang and Sennrich 2019), with one weight for each of its channels.
#include "lib/norm.wgsl"

fn headFactor(token: u32, start: u32, lane: u32) -> f32 {
  var squares = 0.0;
  for (var quad = lane; quad < NORM_QUADS; quad += LANES) {
    let value = xAt(token, HEADS * NORM_QUADS, start + quad);
    squares += dot(value, value);
  }
  return inverseSqrt(lanesSum(squares) / f32(NORM_QUADS * 4u) + shape.epsilon);
}

fn weightedHead(value: vec4f, quad: u32) -> vec4f {
  return value * normWeight(quad);
}
