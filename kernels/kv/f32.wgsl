// K and V stored as f32, four values in a vector (exact mode).
fn unpackQuad(vector: vec4u, i: u32) -> vec4f {
  return bitcast<vec4f>(vector);
}

// Vector i of two quads.
fn packVector(first: vec4f, second: vec4f, i: u32) -> vec4u {
  return bitcast<vec4u>(select(second, first, i == 0u));
}
