// AWQ, "gemm" order: codes [columns][rows / 8 words], zero points [groups][rows / 8 words], scales [groups][rows]. Row 8c + j of a word c
// is its nibble 0, 4, 1, 5, 2, 6, 3, 7 for j = 0..7.
#include "repack/integers.wgsl"

fn nibbleOf(strip: u32, line: u32, row: u32) -> u32 {
  let word = rawWord(stripByte(strip, line, row / 8u * 4u));
  return (word >> ((row % 8u / 2u + row % 2u * 4u) * 4u)) & 15u;
}

fn storedCode(row: u32, column: u32) -> u32 {
  return nibbleOf(CODES, column, row);
}

fn storedZero(row: u32, block: u32) -> u32 {
  return nibbleOf(ZEROS, columnGroup(block), row);
}

fn groupScale(row: u32, block: u32) -> u32 {
  return scaleBits(columnGroup(block), row);
}
