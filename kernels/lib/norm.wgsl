// Weights of a norm, as a uniform: lavapipe reads it without a branch for each lane, and it is no texture of the few that a kernel may have.
@group(0) @binding(NORM) var<uniform> normWeights: array<vec4f, NORM_QUADS>;

fn normWeight(quad: u32) -> vec4f {
  return normWeights[quad];
}
