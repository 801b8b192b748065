// File block of 256: 64 bytes of four runs of two bits for each 128 columns, d.
#include "repack/parts.wgsl"

fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return vec4u();
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  return runPairs(at + block / 4u * 32u + w * 16u, block % 4u * 2u);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at + 64u);
}
