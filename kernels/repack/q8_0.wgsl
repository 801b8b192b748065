// File block: f16 scale, 32 int8.
fn fileVector(at: u32, i: u32) -> vec4u {
  return rawVector(at + 2u + i * 16u);
}

fn fileAffine(at: u32) -> u32 {
  return rawWord(at) & 0xffffu;
}
