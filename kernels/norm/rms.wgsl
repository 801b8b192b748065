// RMSNorm (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + epsilon) * weight.
#include "lib/norm.wgsl"

fn rowMean(row: u32, start: u32, lane: u32) -> f32 {
  return 0.0;
}

fn weighted(value: vec4f, quad: u32) -> vec4f {
  return value * normWeight(quad);
}
