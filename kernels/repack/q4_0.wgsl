// File block: f16 scale, 16 bytes of nibbles; their upper bits are turned, see quant/q4_0.wgsl.
fn fileVector(at: u32, i: u32) -> vec4u {
  return rawVector(at + 2u) ^ vec4u(0x88888888u);
}

fn fileAffine(at: u32) -> u32 {
  return rawWord(at) & 0xffffu;
}
