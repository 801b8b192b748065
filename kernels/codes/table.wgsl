// 4-bit codes that name one of 16 int8 values; laid out as in codes/four.wgsl. The format that includes this says the values:
// CODE_VALUES, 16 bytes in four words.
#include "codes/parts/vector.wgsl"
#include "codes/parts/no_words.wgsl"
#include "codes/parts/unscaled.wgsl"

// Selections and shifts, because an array that lanes index costs a load each.
fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let codes = vec4u(block[quad & 3u]) >> (vec4u(0u, 8u, 16u, 24u) + quad / 4u * 4u);
  let isUpper = (codes & vec4u(4u)) != vec4u();
  let low = select(vec4u(CODE_VALUES.x), vec4u(CODE_VALUES.y), isUpper);
  let high = select(vec4u(CODE_VALUES.z), vec4u(CODE_VALUES.w), isUpper);
  let bytes = select(low, high, (codes & vec4u(8u)) != vec4u());
  return vec4f(bitcast<vec4i>(bytes << (vec4u(24u) - (codes & vec4u(3u)) * 8u)) >> vec4u(24u));
}
