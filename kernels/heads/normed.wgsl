// Queries and keys are normed with a weight for each channel; values, where VALUE_NORM says so, without.
@group(0) @binding(NORMS) var<uniform> queryWeights: array<vec4f, HEAD_QUADS>;
@group(0) @binding(NORMS + 1u) var<uniform> keyWeights: array<vec4f, HEAD_QUADS>;

fn isNormed(kind: u32) -> bool {
  return kind != VALUE || VALUE_NORM;
}

fn weighQuad(value: vec4f, kind: u32, quad: u32) -> vec4f {
  if (kind == VALUE) {
    return value;
  }
  return value * select(keyWeights[quad], queryWeights[quad], kind == QUERY);
}
