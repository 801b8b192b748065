// NF4 of bitsandbytes: codes of all elements one after the other, the even one in the high half of a byte; a scale for each run of
// groupBlocks * 32 elements, whatever the rows.
#include "repack/strips.wgsl"
#include "repack/codes.wgsl"

fn fileCode(row: u32, block: u32, column: u32) -> u32 {
  return (rawByte(stripByte(CODES, row, block * 16u + column / 2u)) >> ((1u - column % 2u) * 4u)) & 15u;
}

fn fileWord(row: u32, block: u32, w: u32) -> u32 {
  let first = shape.tensorRow * shape.blocks / shape.groupBlocks;
  return scaleBits(0u, ((shape.tensorRow + row) * shape.blocks + block) / shape.groupBlocks - first);
}
