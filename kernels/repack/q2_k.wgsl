// File block of 256: 16 bytes of scales (low half) and minima (high half) of 16 columns, 64 bytes of four runs of two bits for each 128
// columns, d, dmin.
#include "repack/parts.wgsl"

fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return vec4u();
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  if (w == 0u) {
    let first = rawByte(at + 2u * block);
    let second = rawByte(at + 2u * block + 1u);
    return (first & 15u) | ((first >> 4u) << 8u) | ((second & 15u) << 16u) | ((second >> 4u) << 24u);
  }
  return runPairs(at + 16u + block / 4u * 32u + (w - 1u) * 16u, block % 4u * 2u);
}

fn fileSuper(at: u32) -> u32 {
  return rawWord(at + 80u);
}
