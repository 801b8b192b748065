// value = scale * code; the block's word is the scale as f32.
#include "scales/word.wgsl"
const HAS_OFFSET = false;
const PARTS = 1u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  return vec2f(bitcast<f32>(word), 0.0);
}
