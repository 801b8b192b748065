// 2-bit codes, 0..3: that of column 4q+i at bit 8i + 2(q % 4) of word q / 4.
const BLOCK_VECTORS = 0u;
const CODE_WORDS = 2u;

alias WeightBlock = u32;
struct CodeWords {
  first: vec4u,
  second: vec4u,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return 0u;
}

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return CodeWords(blockWord(place, block, SCALE_WORDS), blockWord(place, block, SCALE_WORDS + 1u));
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  return byteCodes((select(words.second[r], words.first[r], quad < 4u) >> (2u * (quad & 3u))) & 0x03030303u);
}

fn codeScale(quad: u32) -> vec4f {
  return byteScale;
}
