// Grids of IQ1, IQ2 and IQ3 (grids.ts): a u16 an entry.
#include "repack/codes.wgsl"
@group(0) @binding(2) var<storage, read> grid: array<u32>;

fn gridEntry(index: u32) -> u32 {
  return (grid[index / 2u] >> (index % 2u * 16u)) & 0xffffu;
}

// Seven bits of signs; the eighth makes their number even.
fn signsOf(bits: u32) -> u32 {
  let seven = bits & 127u;
  return seven | ((countOneBits(seven) & 1u) << 7u);
}

fn signed(place: u32, signs: u32, bit: u32) -> u32 {
  return place | (((signs >> bit) & 1u) << 3u);
}

// A scale 2 s + 1 for each half of a block.
fn oddScales(first: u32, second: u32) -> u32 {
  return (2u * first + 1u) | ((2u * second + 1u) << 16u);
}
