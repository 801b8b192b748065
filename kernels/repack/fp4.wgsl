// FP4: e2m1 numbers [rows][columns / 2], an even column in the low half of a byte; scales [rows][columns / 32] e8m0. Also MXFP4 as gpt-oss has it.
#include "repack/strips.wgsl"
#include "repack/codes.wgsl"

fn fileCode(row: u32, block: u32, column: u32) -> u32 {
  return (rawByte(stripByte(CODES, row, block * 16u + column / 2u)) >> (column % 2u * 4u)) & 15u;
}

// 2^(e - 128), because codes name twice the value.
fn fileWord(row: u32, block: u32, w: u32) -> u32 {
  return powerBits(rawByte(stripByte(SCALES, row, block)), 128u);
}
