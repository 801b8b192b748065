// A head as it is.
fn headFactor(token: u32, start: u32, lane: u32) -> f32 {
  return 1.0;
}

fn weightedHead(value: vec4f, quad: u32) -> vec4f {
  return value;
}
