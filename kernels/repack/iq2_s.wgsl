// File block of 256: d; 32 bytes of grid index, 32 of signs, for each 8 columns one; 8 bytes of upper pairs of bits of the index; a nibble of scale for each 16 columns.
#include "repack/grid.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let group = column / 8u;
  let upper = (rawByte(at + 66u + block) >> (2u * group)) & 3u;
  let entry = gridEntry(rawByte(at + 2u + block * 4u + group) | (upper << 8u));
  return signed((entry >> (column % 8u * 2u)) & 3u, rawByte(at + 34u + block * 4u + group), column % 8u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let both = rawByte(at + 74u + block);
  return oddScales(both & 15u, both >> 4u);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at);
}
