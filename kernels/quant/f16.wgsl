// F16: IEEE half precision.
#include "lib/halves.wgsl"

fn pairValues(word: u32) -> vec2f {
  return unpack2x16float(word);
}
