// File block: f16 scale, f16 offset, 16 bytes of nibbles.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return rawVector(at + 4u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  return rawWord(at);
}

fn fileSuper(at: u32) -> u32 {
  return 0u;
}
