// File block of 256: d; 64 bytes of grid index, for each 4 columns one, 8 bytes of their ninth bits, 32 bytes of signs; a nibble of scale for each 32 columns.
#include "repack/grid.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let group = column / 4u;
  let upper = (rawByte(at + 66u + block) >> group) & 1u;
  let entry = gridEntry(rawByte(at + 2u + block * 8u + group) | (upper << 8u));
  return signed((entry >> (column % 4u * 4u)) & 7u, rawByte(at + 74u + block * 4u + column / 8u), column % 8u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let scale = (rawByte(at + 106u + block / 2u) >> (block % 2u * 4u)) & 15u;
  return oddScales(scale, scale);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at);
}
