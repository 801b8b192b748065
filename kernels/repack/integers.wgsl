// Whole numbers of BITS bits with scales and zero points, to codes/two.wgsl, three.wgsl, four.wgsl, eight.wgsl and scales/zero.wgsl. The
// includer says where the file has them: storedCode(row, column), groupScale(row, block), storedZero(row, block).
#include "repack/strips.wgsl"
const CODE_MASK = (1u << BITS) - 1u;

// Column of the file that comes at this place: columns are sorted by group where the file has them in another order.
fn fileColumn(column: u32) -> u32 {
  if (hasStrip(ORDER)) {
    return rawWord(stripByte(ORDER, 0u, column * 4u));
  }
  return column;
}

// Number i of a row of numbers that are packed from the low end of words on, across their borders where BITS divides no word.
fn packedCode(strip: u32, row: u32, i: u32) -> u32 {
  let bit = i * BITS;
  return (rawWord(stripByte(strip, row, bit / 8u)) >> (bit % 8u)) & CODE_MASK;
}

fn codeAt(row: u32, block: u32, column: u32) -> u32 {
  return storedCode(row, fileColumn(block * 32u + column));
}

fn fileVector(row: u32, block: u32, v: u32) -> vec4u {
  var words: vec4u;
  for (var i = 0u; i < 16u; i++) {
    var byte = 0u;
    if (BITS == 8u) {
      byte = codeAt(row, block, v * 16u + i) ^ 0x80u;
    } else {
      byte = codeAt(row, block, i) | (codeAt(row, block, 16u + i) << 4u);
    }
    words[i / 4u] |= byte << (i % 4u * 8u);
  }
  return words;
}

fn fileWord(row: u32, block: u32, w: u32) -> u32 {
  var word = 0u;
  if (w == 0u) {
    var zero = shape.zeroBias;
    if (hasStrip(ZEROS)) {
      zero += storedZero(row, block);
    }
    return groupScale(row, block) | ((zero - select(0u, 128u, BITS == 8u)) & 0x1fffu);
  }
  if (w == 3u) {
    for (var i = 0u; i < 32u; i++) {
      word |= ((codeAt(row, block, i) >> 2u) & 1u) << (i % 4u * 8u + i / 4u);
    }
    return word;
  }
  for (var i = 0u; i < 16u; i++) {
    word |= (codeAt(row, block, w * 16u - 16u + i) & 3u) << (i % 4u * 8u + i / 4u * 2u);
  }
  return word;
}
