// File block of 256: d, dmin, 12 bytes of six-bit scales and minima, 32 bytes of fifth bits, nibbles as in Q4_K.
#include "repack/parts.wgsl"

fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return runNibbles(at + 48u + block / 2u * 32u, block % 2u * 4u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  if (w == 0u) {
    return scaleAndMin(at + 4u, block);
  }
  return runBits(at + 16u, block);
}

fn fileSuper(at: u32) -> u32 {
  return rawWord(at);
}
