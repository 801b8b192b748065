// LayerNorm (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon) * weight + bias.
#include "lib/norm.wgsl"

@group(0) @binding(NORM + 1u) var<uniform> normBiases: array<vec4f, NORM_QUADS>;

fn rowMean(row: u32, start: u32, lane: u32) -> f32 {
  var sums = vec4f();
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    sums += xAt(row, shape.width, start + quad);
  }
  return lanesSum(sums.x + sums.y + sums.z + sums.w) / f32(shape.quads * 4u);
}

fn weighted(value: vec4f, quad: u32) -> vec4f {
  return value * normWeight(quad) + normBiases[quad];
}
