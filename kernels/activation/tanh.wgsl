// tanh(x).
#include "lib/exponentials.wgsl"

fn activate(value: vec4f) -> vec4f {
  return hyperbolicTangent(value);
}
