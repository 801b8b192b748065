// File block of 256: 32 bytes of third bits, 64 bytes of two bits as in Q2_K, 12 bytes of 16 six-bit scales, d.
#include "repack/parts.wgsl"

fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return vec4u();
}

// Less 32, as a signed byte.
fn scale(at: u32, i: u32) -> u32 {
  let low = (rawByte(at + 96u + i % 8u) >> (i / 8u * 4u)) & 15u;
  let upper = (rawByte(at + 104u + i % 4u) >> (i / 4u * 2u)) & 3u;
  return ((low | (upper << 4u)) - 32u) & 255u;
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  if (w == 0u) {
    return scale(at, 2u * block) | (scale(at, 2u * block + 1u) << 16u);
  }
  if (w == 3u) {
    return runBits(at, block);
  }
  return runPairs(at + 32u + block / 4u * 32u + (w - 1u) * 16u, block % 4u * 2u);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at + 108u);
}
