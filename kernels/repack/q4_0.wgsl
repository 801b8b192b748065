// File block: f16 scale, 16 bytes of nibbles. Also IQ4_NL.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return rawVector(at + 2u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  return rawHalf(at);
}

fn fileSuper(at: u32) -> u32 {
  return 0u;
}
