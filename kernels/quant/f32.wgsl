// F32: groups of 32 columns as eight vec4u of bits; no scales.
const BLOCK_VECTORS = 8u;
const HAS_SCALE = false;
const HAS_OFFSET = false;

struct WeightBlock {
  words: array<vec4u, 8>,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  var words: array<vec4u, 8>;
  for (var v = 0u; v < 8u; v++) {
    words[v] = blockVector(place, r, block, v);
  }
  return WeightBlock(words);
}

fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  return bitcast<vec4f>(block.words[quad]);
}

fn codeScale(quad: u32) -> vec4f {
  return vec4f(1.0);
}

fn affineOf(word: u32) -> vec2f {
  return vec2f(1.0, 0.0);
}
