// File block of 256: d; 64 bytes of grid index, for each 4 columns one; for each 32 columns a word of four times seven signs and a scale.
#include "repack/grid.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let entry = gridEntry(rawByte(at + 2u + block * 8u + column / 4u));
  let signs = signsOf(rawWord(at + 66u + block * 4u) >> (7u * (column / 8u)));
  return signed((entry >> (column % 4u * 4u)) & 7u, signs, column % 8u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let scale = rawWord(at + 66u + block * 4u) >> 28u;
  return oddScales(scale, scale);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at);
}
