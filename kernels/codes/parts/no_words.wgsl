// All codes of a block lie in its vectors.
const CODE_WORDS = 0u;

alias CodeWords = u32;

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return 0u;
}
