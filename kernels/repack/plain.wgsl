// File block: 32 numbers as they are, of 2 or 4 bytes; no scales.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return rawVector(at + v * 16u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  return 0u;
}

fn fileSuper(at: u32) -> u32 {
  return 0u;
}
