// Two words of codes a block, behind those of its scales: two bits of column 4q+i at bit 8i + 2(q % 4) of word q / 4.
const CODE_WORDS = 2u;

struct CodeWords {
  first: vec4u,
  second: vec4u,
}

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return CodeWords(blockWord(place, block, SCALE_WORDS), blockWord(place, block, SCALE_WORDS + 1u));
}
