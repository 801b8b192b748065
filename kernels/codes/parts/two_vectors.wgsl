// Two vec4u of codes a block, columns 0..15 and 16..31, a byte each.
const BLOCK_VECTORS = 2u;

struct WeightBlock {
  low: vec4u,
  high: vec4u,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return WeightBlock(blockVector(place, r, block, 0u), blockVector(place, r, block, 1u));
}

// Bytes of columns 4 * quad .. 4 * quad + 3.
fn blockBytes(block: WeightBlock, quad: u32) -> u32 {
  return select(block.high[quad & 3u], block.low[quad & 3u], quad < 4u);
}
