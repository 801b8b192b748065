// File block of 256: d; for each 32 columns four grid indices and a word of four times seven signs and a scale.
#include "repack/grid.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let group = column / 8u;
  let entry = gridEntry(rawByte(at + 2u + block * 8u + group));
  let signs = signsOf(rawWord(at + 6u + block * 8u) >> (7u * group));
  return signed((entry >> (column % 8u * 2u)) & 3u, signs, column % 8u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let scale = rawWord(at + 6u + block * 8u) >> 28u;
  return oddScales(scale, scale);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at);
}
