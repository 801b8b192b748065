// File block of 256: d; for each 8 columns nine bits of grid index and seven signs; a nibble of scale for each 16 columns.
#include "repack/grid.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let both = rawHalf(at + 2u + (block * 4u + column / 8u) * 2u);
  return signed((gridEntry(both & 511u) >> (column % 8u * 2u)) & 3u, signsOf(both >> 9u), column % 8u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let both = rawByte(at + 66u + block);
  return oddScales(both & 15u, both >> 4u);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at);
}
