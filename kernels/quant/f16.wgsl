// F16: IEEE half precision.
#include "codes/halves.wgsl"
#include "scales/none.wgsl"

fn pairValues(word: u32) -> vec2f {
  return unpack2x16float(word);
}
