// Parts of files that several formats share. `base` and `at` are bytes.

// Five or four bits a column lie as in codes/four.wgsl; here a byte holds two columns that are 32 apart, so a run of 32 takes one
// half of each of 32 bytes.
fn runNibbles(base: u32, shift: u32) -> vec4u {
  let low = (rawVector(base) >> vec4u(shift)) & vec4u(0x0f0f0f0fu);
  let high = (rawVector(base + 16u) >> vec4u(shift)) & vec4u(0x0f0f0f0fu);
  return low | (high << vec4u(4u));
}

// Bit `shift` of each of 32 bytes: that of byte 4q+i to bit 8i+q.
fn runBits(base: u32, shift: u32) -> u32 {
  var bits = 0u;
  for (var q = 0u; q < 8u; q++) {
    bits |= ((rawWord(base + 4u * q) >> shift) & 0x01010101u) << q;
  }
  return bits;
}

// Two bits from `shift` of each of 16 bytes: those of byte 4q+i to bit 8i+2q.
fn runPairs(base: u32, shift: u32) -> u32 {
  var pairs = 0u;
  for (var q = 0u; q < 4u; q++) {
    pairs |= ((rawWord(base + 4u * q) >> shift) & 0x03030303u) << (2u * q);
  }
  return pairs;
}

// Bit l of a word, of column l = 4q+i, to bit 8i+q.
fn spreadBits(bits: u32) -> u32 {
  var spread = 0u;
  for (var q = 0u; q < 8u; q++) {
    let four = bits >> (4u * q);
    spread |= ((four & 1u) | ((four & 2u) << 7u) | ((four & 4u) << 14u) | ((four & 8u) << 21u)) << q;
  }
  return spread;
}

// Six-bit scale and minimum of a block of Q4_K and Q5_K: twelve bytes for eight of each.
fn scaleAndMin(at: u32, block: u32) -> u32 {
  let first = rawByte(at + block);
  let second = rawByte(at + block + 4u);
  if (block < 4u) {
    return (first & 63u) | ((second & 63u) << 8u);
  }
  let upper = rawByte(at + block - 4u) >> 6u;
  return ((second & 15u) | (upper << 4u)) | (((second >> 4u) | ((first >> 6u) << 4u)) << 8u);
}
