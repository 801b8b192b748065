// File block: f16 scale, 16 bytes of nibbles.
fn fileVector(at: u32, i: u32) -> vec4u {
  return rawVector(at + 2u);
}

fn fileAffine(at: u32) -> u32 {
  return rawWord(at) & 0xffffu;
}
