// File block: 32 numbers as they are, of 2 or 4 bytes; no scales.
fn fileVector(at: u32, i: u32) -> vec4u {
  return rawVector(at + i * 16u);
}

fn fileAffine(at: u32) -> u32 {
  return 0u;
}
