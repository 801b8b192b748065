// 1 / (1 + exp(-x)).
#include "lib/exponentials.wgsl"

fn activate(value: vec4f) -> vec4f {
  return sigmoid(value);
}
