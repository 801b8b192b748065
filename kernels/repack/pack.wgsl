// compressed-tensors, pack-quantized: codes [rows][columns / 32 * BITS words], zero points [rows / 32 * BITS words][groups], packed
// along the columns and down the rows; scales [rows][groups]. Codes and zero points are stored plus half their range.
#include "repack/integers.wgsl"

fn storedCode(row: u32, column: u32) -> u32 {
  return packedCode(CODES, row, column);
}

fn storedZero(row: u32, block: u32) -> u32 {
  let word = rawWord(stripByte(ZEROS, row * BITS / 32u, columnGroup(block) * 4u));
  return (word >> (row * BITS % 32u)) & CODE_MASK;
}

fn groupScale(row: u32, block: u32) -> u32 {
  return scaleBits(row, columnGroup(block));
}
