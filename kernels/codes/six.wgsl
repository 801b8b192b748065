// 6-bit codes, 0..63: four bits as in codes/four.wgsl, and the upper two of column 4q+i at bit 8i + 2(q % 4) of word q / 4.
const BLOCK_VECTORS = 1u;
const CODE_WORDS = 2u;

alias WeightBlock = vec4u;
struct CodeWords {
  first: vec4u,
  second: vec4u,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return blockVector(place, r, block, 0u);
}

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return CodeWords(blockWord(place, block, SCALE_WORDS), blockWord(place, block, SCALE_WORDS + 1u));
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let low = (block[quad & 3u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
  let upper = (select(words.second[r], words.first[r], quad < 4u) >> (2u * (quad & 3u))) & 0x03030303u;
  return byteCodes(low | (upper << 4u));
}

fn codeScale(quad: u32) -> vec4f {
  return byteScale;
}
