// Codes come four in the bytes of a word, unsigned: codeBytes.
fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  return byteCodes(codeBytes(block, words, r, quad));
}

fn codeScale(quad: u32) -> vec4f {
  return byteScale;
}
