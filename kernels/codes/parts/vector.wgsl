// One vec4u of codes a block.
const BLOCK_VECTORS = 1u;

alias WeightBlock = vec4u;

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return blockVector(place, r, block, 0u);
}
