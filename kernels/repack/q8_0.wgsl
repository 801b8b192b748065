// File block: f16 scale, 32 int8.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return rawVector(at + 2u + v * 16u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  return rawHalf(at);
}

fn fileSuper(at: u32) -> u32 {
  return 0u;
}
