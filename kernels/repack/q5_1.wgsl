// File block: f16 scale, f16 offset, a word of fifth bits, 16 bytes of nibbles.
#include "repack/parts.wgsl"

fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return rawVector(at + 8u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  if (w == 0u) {
    return rawWord(at);
  }
  return spreadBits(rawWord(at + 4u));
}

fn fileSuper(at: u32) -> u32 {
  return 0u;
}
