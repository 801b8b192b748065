// Q4_0: blocks of 32 columns, value = scale * (nibble - 8).
// codes: one vec4u a block (word j of byte i: column 4j+i in the low nibble, 16+4j+i in the high one) of signed
// nibbles: repack turned the upper bit of each, which takes 8 away in two's complement. Read in the upper half of a
// byte a code is 16 times itself, and the scale, an f16 in the low half of a word, a sixteenth: both exact.
const BLOCK_VECTORS = 1u;
const HAS_SCALE = true;
const HAS_OFFSET = false;

struct WeightBlock {
  codes: vec4u,
  scale: f32,
}

fn loadBlock(place: RowPlace, block: u32) -> WeightBlock {
  let index = place.codes + block * (ROW_TILE * BLOCK_VECTORS);
  return WeightBlock(weightCodes[index], unpack2x16float(weightAffine[place.affine + block * ROW_TILE]).x / 16.0);
}

fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  return vec4f(unpack4xI8((block.codes[quad & 3u] << (4u - quad / 4u * 4u)) & 0xf0f0f0f0u));
}

fn blockAffine(block: WeightBlock) -> vec2f {
  return vec2f(block.scale, 0.0);
}

fn blockDotInt8(block: WeightBlock, low: vec4u, high: vec4u, scales: vec2f) -> f32 {
  let first = (block.codes << vec4u(4u)) & vec4u(0xf0f0f0f0u);
  let second = block.codes & vec4u(0xf0f0f0f0u);
  return block.scale * scales.x * f32(dotCodes(first, low) + dotCodes(second, high));
}
