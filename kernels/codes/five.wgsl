// 5-bit codes, 0..31: four bits as in codes/four.wgsl, and the fifth of column 4q+i as bit 8i+q of a word.
const BLOCK_VECTORS = 1u;
const CODE_WORDS = 1u;

alias WeightBlock = vec4u;
alias CodeWords = vec4u;

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return blockVector(place, r, block, 0u);
}

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return blockWord(place, block, SCALE_WORDS);
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let low = (block[quad & 3u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
  return byteCodes(low | (((words[r] >> quad) & 0x01010101u) << 4u));
}

fn codeScale(quad: u32) -> vec4f {
  return byteScale;
}
