// The value as it is.
fn activate(value: vec4f) -> vec4f {
  return value;
}
