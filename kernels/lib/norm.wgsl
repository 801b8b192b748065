// Weights of a norm, as a uniform: read four times as fast as a storage buffer on lavapipe, and no texture of the few that a kernel may have.
@group(0) @binding(NORM) var<uniform> normWeights: array<vec4f, NORM_QUADS>;

fn normWeight(quad: u32) -> vec4f {
  return normWeights[quad];
}
