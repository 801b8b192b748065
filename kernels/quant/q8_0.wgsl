// Q8_0: blocks of 32 columns, value = scale * code, code -127..127 (int8).
// codes: two vec4u a block (columns 0..15, 16..31), affine: scale as f16 in the low half of a word.
const BLOCK_VECTORS = 2u;
const HAS_SCALE = true;
const HAS_OFFSET = false;

struct WeightBlock {
  low: vec4u,
  high: vec4u,
  scale: f32,
}

fn loadBlock(place: RowPlace, block: u32) -> WeightBlock {
  let index = place.codes + block * (ROW_TILE * BLOCK_VECTORS);
  return WeightBlock(weightCodes[index], weightCodes[index + ROW_TILE], unpack2x16float(weightAffine[place.affine + block * ROW_TILE]).x);
}

fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  return vec4f(unpack4xI8(select(block.high[quad & 3u], block.low[quad & 3u], quad < 4u)));
}

fn blockAffine(block: WeightBlock) -> vec2f {
  return vec2f(block.scale, 0.0);
}

fn blockDotInt8(block: WeightBlock, low: vec4u, high: vec4u, scales: vec2f) -> f32 {
  return block.scale * scales.x * f32(dotCodes(block.low, low) + dotCodes(block.high, high));
}
