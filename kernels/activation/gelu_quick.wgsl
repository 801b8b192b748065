// x * sigmoid(1.702 x), the short form of GELU (Hendrycks and Gimpel 2016).
fn activate(value: vec4f) -> vec4f {
  return value / (1.0 + exp(-max(1.702 * value, vec4f(-87.0))));
}
