// File block of 256: 128 bytes of lower and 64 of upper bits, 16 int8 scales, d. Of each 128 columns 64 bytes hold the lower bits, the
// first 64 columns in the low halves, and 32 bytes the upper ones, a pair of bits for each run of 32.
#include "repack/parts.wgsl"

fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return runNibbles(at + block / 4u * 64u + block % 2u * 32u, block % 4u / 2u * 4u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  if (w == 0u) {
    return rawByte(at + 192u + 2u * block) | (rawByte(at + 193u + 2u * block) << 16u);
  }
  return runPairs(at + 128u + block / 4u * 32u + (w - 1u) * 16u, block % 4u * 2u);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at + 208u);
}
