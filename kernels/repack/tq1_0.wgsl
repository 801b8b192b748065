// File block of 256: 48 bytes of five numbers and 4 of four, d. A byte is a fraction in base 3: each number is what comes in front of
// the point when it is multiplied by 3, the first one at once.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  return vec4u();
}

// Of column 0..255.
fn number(at: u32, column: u32) -> u32 {
  var byte = rawByte(at + column % 32u);
  var turns = column / 32u;
  if (column >= 240u) {
    byte = rawByte(at + 48u + column % 4u);
    turns = (column - 240u) / 4u;
  } else if (column >= 160u) {
    byte = rawByte(at + 32u + column % 16u);
    turns = (column - 160u) / 16u;
  }
  for (var i = 0u; i < turns; i++) {
    byte = (byte * 3u) & 255u;
  }
  return (byte * 3u) >> 8u;
}

fn fileWord(at: u32, block: u32, w: u32) -> u32 {
  var word = 0u;
  for (var i = 0u; i < 16u; i++) {
    word |= number(at, block * 32u + w * 16u + i) << (i % 4u * 8u + i / 4u * 2u);
  }
  return word;
}

fn fileSuper(at: u32) -> u32 {
  return rawHalf(at + 52u);
}
