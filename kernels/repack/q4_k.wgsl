// File block of 256: d, dmin, 12 bytes of six-bit scales and minima, for each 64 columns 32 bytes, the first half of them low.
#include "repack/parts.wgsl"

fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return runNibbles(at + 16u + block / 2u * 32u, block % 2u * 4u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  return scaleAndMin(at + 4u, block);
}

fn fileSuper(at: u32) -> u32 {
  return rawWord(at);
}
