// max(x, 0).
fn activate(value: vec4f) -> vec4f {
  return max(value, vec4f());
}
