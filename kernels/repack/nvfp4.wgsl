// File block of 64: four scales (unsigned e4m3, 0x7f stands for zero), and for each 16 columns 8 bytes, byte i with column i in its
// low half and 8 + i in its high one.
#include "repack/codes.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let i = column % 16u;
  return (rawByte(at + 4u + 16u * block + column / 16u * 8u + i % 8u) >> (i / 8u * 4u)) & 15u;
}

fn halfScale(byte: u32) -> f32 {
  let exponent = (byte >> 3u) & 15u;
  let fraction = f32(byte & 7u);
  let value = select((1.0 + fraction / 8.0) * exp2(f32(exponent) - 7.0), fraction / 512.0, exponent == 0u);
  return select(value * 0.5, 0.0, byte == 0x7fu);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  return pack2x16float(vec2f(halfScale(rawByte(at + 2u * block)), halfScale(rawByte(at + 2u * block + 1u))));
}

fn fileSuper(at: u32) -> u32 {
  return 0u;
}
