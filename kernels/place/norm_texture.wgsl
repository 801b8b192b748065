@group(0) @binding(NORM) var normWeights: texture_storage_2d<rgba32float, read>;

fn normWeight(quad: u32) -> vec4f {
  return textureLoad(normWeights, vec2u(quad, 0u));
}
