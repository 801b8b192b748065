// FP8: e4m3 numbers [rows][columns], scales [groups of rows][groups of columns].
#include "repack/strips.wgsl"

fn fileVector(row: u32, block: u32, v: u32) -> vec4u {
  return rawVector(stripByte(CODES, row, block * 32u + v * 16u));
}

fn fileWord(row: u32, block: u32, w: u32) -> u32 {
  return scaleBits(rowGroup(row), columnGroup(block));
}
