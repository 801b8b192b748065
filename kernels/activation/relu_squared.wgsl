// max(x, 0)^2 (So et al. 2021).
fn activate(value: vec4f) -> vec4f {
  let positive = max(value, vec4f());
  return positive * positive;
}
