// File block of 256: for each 8 columns a byte of grid index, and a nibble of three upper bits of it and the sign of the delta; four u16 of four scales of three bits each, whose upper nibbles are d.
#include "repack/grid.wgsl"

fn fileCode(at: u32, block: u32, column: u32) -> u32 {
  let group = column / 8u;
  let upper = rawByte(at + 32u + block * 2u + group / 2u) >> (group % 2u * 4u);
  let entry = gridEntry(rawByte(at + block * 4u + group) | ((upper & 7u) << 8u));
  return ((entry >> (column % 8u * 2u)) & 3u) | (((upper >> 3u) & 1u) << 2u);
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  let both = rawHalf(at + 48u + block / 2u * 2u) >> (block % 2u * 6u);
  return oddScales(both & 7u, (both >> 3u) & 7u);
}

fn fileSuper(at: u32) -> u32 {
  return (rawHalf(at + 48u) >> 12u) | ((rawHalf(at + 50u) >> 12u) << 4u) | ((rawHalf(at + 52u) >> 12u) << 8u) | ((rawHalf(at + 54u) >> 12u) << 12u);
}
