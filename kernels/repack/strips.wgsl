// For storages that are several tensors: raw holds a strip of each, rows of bytes that say what the chunk needs. Here `row` is a row
// of the chunk, `block` one of the whole row.
const CODES = 0u;
const SCALES = 1u;
const ZEROS = 2u;
const ORDER = 3u;

// Byte `at` of a row of a strip.
fn stripByte(strip: u32, row: u32, at: u32) -> u32 {
  return shape.strips[strip].x + row * shape.strips[strip].y + at;
}

// Strips that a storage can do without have rows of no bytes.
fn hasStrip(strip: u32) -> bool {
  return shape.strips[strip].y != 0u;
}

// Group of rows, counted from that of the chunk's first one.
fn rowGroup(row: u32) -> u32 {
  return (shape.tensorRow + row) / shape.groupRows - shape.tensorRow / shape.groupRows;
}

fn columnGroup(block: u32) -> u32 {
  return block / shape.groupBlocks;
}

// Power of two 2^(e - bias) as the bits of an f32, bias 127 or 128; the smallest ones are subnormal numbers.
fn powerBits(e: u32, bias: u32) -> u32 {
  let shift = bias - 127u;
  return select(0x00400000u >> (shift - min(e, shift)), (e - shift) << 23u, e > shift);
}

// Scale i of a row of scales as the bits of an f32: F32, F16, BF16 or e8m0 as the strip says.
fn scaleBits(row: u32, i: u32) -> u32 {
  switch shape.strips[SCALES].z {
    case 0u: {
      return rawWord(stripByte(SCALES, row, i * 4u));
    }
    case 1u: {
      return bitcast<u32>(unpack2x16float(rawHalf(stripByte(SCALES, row, i * 2u))).x);
    }
    case 2u: {
      return rawHalf(stripByte(SCALES, row, i * 2u)) << 16u;
    }
    default: {
      return powerBits(rawByte(stripByte(SCALES, row, i)), 127u);
    }
  }
}

fn fileSuper(row: u32) -> u32 {
  return 0u;
}
