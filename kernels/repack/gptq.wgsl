// GPTQ: codes [columns / 32 * BITS words][rows], packed down the columns; zero points [groups][rows], packed along the rows, one less
// than meant in version 1; scales [groups][rows].
#include "repack/integers.wgsl"

fn storedCode(row: u32, column: u32) -> u32 {
  let bit = column * BITS;
  let shift = bit % 32u;
  var code = rawWord(stripByte(CODES, bit / 32u, row * 4u)) >> shift;
  if (shift + BITS > 32u) {
    code |= rawWord(stripByte(CODES, bit / 32u + 1u, row * 4u)) << (32u - shift);
  }
  return code & CODE_MASK;
}

fn storedZero(row: u32, block: u32) -> u32 {
  return packedCode(ZEROS, columnGroup(block), row);
}

fn groupScale(row: u32, block: u32) -> u32 {
  return scaleBits(columnGroup(block), row);
}
