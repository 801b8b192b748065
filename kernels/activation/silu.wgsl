// x * sigmoid(x) (Elfwing et al. 2017), the gate of SwiGLU (Shazeer 2020).
fn activate(value: vec4f) -> vec4f {
  return value / (1.0 + exp(-max(value, vec4f(-87.0))));
}
