// F32: groups of 32 columns as eight vec4u of bits, row-interleaved; no scales.
const BLOCK_VECTORS = 8u;
const HAS_SCALE = false;
const HAS_OFFSET = false;

struct WeightBlock {
  words: array<vec4u, 8>,
}

fn loadBlock(place: RowPlace, block: u32) -> WeightBlock {
  var words: array<vec4u, 8>;
  let index = place.codes + block * (ROW_TILE * BLOCK_VECTORS);
  for (var i = 0u; i < 8u; i++) {
    words[i] = weightCodes[index + i * ROW_TILE];
  }
  return WeightBlock(words);
}

fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  return bitcast<vec4f>(block.words[quad]);
}

fn blockAffine(block: WeightBlock) -> vec2f {
  return vec2f(1.0, 0.0);
}
