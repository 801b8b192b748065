// File block of 256: d; for each 8 columns a byte of grid index; for each 32 a u16 of four times three upper bits of it, a scale of three bits and the sign of the delta.
#include "repack/grid.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let group = column / 8u;
  let upper = rawHalf(at + 34u + block * 2u);
  let entry = gridEntry(rawByte(at + 2u + block * 4u + group) | (((upper >> (3u * group)) & 7u) << 8u));
  return ((entry >> (column % 8u * 2u)) & 3u) | ((upper >> 15u) << 2u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let scale = (rawHalf(at + 34u + block * 2u) >> 12u) & 7u;
  return oddScales(scale, scale);
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at);
}
