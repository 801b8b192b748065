// File block: a byte e, 16 bytes of nibbles. The scale is 2^(e - 128), below 2^-126 a subnormal number.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return rawVector(at + 1u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let e = rawByte(at);
  return select(0x00200000u << e, (e - 1u) << 23u, e >= 2u);
}

fn fileSuper(at: u32) -> u32 {
  return 0u;
}
