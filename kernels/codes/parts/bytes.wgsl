// Codes come four in the bytes of a word, unsigned: codeBytes.
fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  return byteCodes(codeBytes(block, words, r, quad));
}

fn codeScale(quad: u32) -> vec4f {
  return byteScale;
}

// Codes of columns 0 and 2, 1 and 3 of a quad, in the halves of a word.
fn pairCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec2i {
  let bytes = codeBytes(block, words, r, quad);
  return vec2i(vec2u(bytes & 0x00ff00ffu, (bytes >> 8u) & 0x00ff00ffu));
}

const SPLITS_QUADS = false;
