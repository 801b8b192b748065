// Q8_0: blocks of 32 columns, value = scale * code, code -127..127 (int8).
// codes: two vec4u a block (columns 0..15, 16..31), affine: scale as f16 in the low half of a word.
const BLOCK_VECTORS = 2u;
const HAS_SCALE = true;
const HAS_OFFSET = false;

struct WeightBlock {
  low: vec4u,
  high: vec4u,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return WeightBlock(blockVector(place, r, block, 0u), blockVector(place, r, block, 1u));
}

fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  return vec4f(unpack4xI8(select(block.high[quad & 3u], block.low[quad & 3u], quad < 4u)));
}

fn codeScale(quad: u32) -> vec4f {
  return vec4f(1.0);
}

fn affineOf(word: u32) -> vec2f {
  return vec2f(unpack2x16float(word).x, 0.0);
}

fn blockDotInt8(block: WeightBlock, affine: vec2f, low: vec4u, high: vec4u, scales: vec2f) -> f32 {
  return affine.x * scales.x * f32(dotCodes(block.low, low) + dotCodes(block.high, high));
}
