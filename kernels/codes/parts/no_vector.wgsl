// All codes of a block lie in its words.
const BLOCK_VECTORS = 0u;

alias WeightBlock = u32;

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return 0u;
}
