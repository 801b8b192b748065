@group(0) @binding(NORM) var<storage, read> normWeights: array<vec4f>;

fn normWeight(quad: u32) -> vec4f {
  return normWeights[quad];
}
