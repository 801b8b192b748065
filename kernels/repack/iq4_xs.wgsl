// File block of 256: d, upper pairs of bits and lower halves of eight six-bit scales, 16 bytes of nibbles for each 32 columns.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return rawVector(at + 8u + block * 16u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let low = (rawByte(at + 4u + block / 2u) >> (block % 2u * 4u)) & 15u;
  let upper = (rawHalf(at + 2u) >> (2u * block)) & 3u;
  return ((low | (upper << 4u)) - 32u) & 255u;
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at);
}
