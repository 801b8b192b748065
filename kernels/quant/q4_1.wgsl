// Q4_1: blocks of 32 columns, value = scale * code + offset, code 0..15.
// codes: one vec4u a block (word j of byte i: column 4j+i in the low nibble, 16+4j+i in the high one),
// affine: scale and offset as two f16 in one word. Both row-interleaved, see lib/weights.wgsl.
const BLOCK_VECTORS = 1u;
const HAS_SCALE = true;
const HAS_OFFSET = true;

struct WeightBlock {
  codes: vec4u,
  affine: vec2f,
}

fn loadBlock(place: RowPlace, block: u32) -> WeightBlock {
  let index = place.codes + block * (ROW_TILE * BLOCK_VECTORS);
  return WeightBlock(weightCodes[index], unpack2x16float(weightAffine[place.affine + block * ROW_TILE]));
}

// Codes of columns 4 * quad .. 4 * quad + 3 of the block, quad 0..7.
fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  // By way of i32: CPUs convert signed numbers in one instruction, unsigned ones in several.
  return vec4f(vec4i(unpack4xU8((block.codes[quad & 3u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu)));
}

// (scale, offset) of the codes.
fn blockAffine(block: WeightBlock) -> vec2f {
  return block.affine;
}

// Dot product with 32 activations: codes of columns 0..15 and 16..31, (scale, scale * sum of codes).
fn blockDotInt8(block: WeightBlock, low: vec4u, high: vec4u, scales: vec2f) -> f32 {
  let first = block.codes & vec4u(0x0f0f0f0fu);
  let second = (block.codes >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  return block.affine.x * scales.x * f32(dotCodes(first, low) + dotCodes(second, high)) + block.affine.y * scales.y;
}
