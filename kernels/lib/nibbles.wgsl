// 4-bit codes, 0..15: one vec4u a block, byte i of word j with column 4j+i in its low half and 16+4j+i in its high one.
// The format that includes this has an affine word and says what it means: affineOf(word) gives (scale, offset).
const BLOCK_VECTORS = 1u;
const HAS_SCALE = true;
const HAS_OFFSET = true;

struct WeightBlock {
  codes: vec4u,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return WeightBlock(blockVector(place, r, block, 0u));
}

// Codes of columns 4 * quad .. 4 * quad + 3 of the block, quad 0..7, each times a power of two that codeScale takes back:
// a code that is not shifted costs a third less to unpack. By way of i32: CPUs convert signed numbers in one instruction,
// unsigned ones in several; the topmost code would be negative and is shifted.
fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  let word = block.codes[quad & 3u];
  let isHigh = quad >= 4u;
  let mask = select(0x0fu, 0xf0u, isHigh);
  let last = select((word >> 24u) & 0x0fu, word >> 28u, isHigh);
  return vec4f(vec4i(vec4u(word & mask, word & (mask << 8u), word & (mask << 16u), last)));
}

// What the activations of a quad of columns are multiplied by; exact.
fn codeScale(quad: u32) -> vec4f {
  return select(vec4f(1.0, 1.0 / 256.0, 1.0 / 65536.0, 1.0), vec4f(1.0 / 16.0, 1.0 / 4096.0, 1.0 / 1048576.0, 1.0), quad >= 4u);
}

// Dot product with 32 activations: codes of columns 0..15 and 16..31, (scale, scale * sum of codes).
fn blockDotInt8(block: WeightBlock, affine: vec2f, low: vec4u, high: vec4u, scales: vec2f) -> f32 {
  let first = block.codes & vec4u(0x0f0f0f0fu);
  let second = (block.codes >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  return affine.x * scales.x * f32(dotCodes(first, low) + dotCodes(second, high)) + affine.y * scales.y;
}
