// limit * tanh(x / limit) (Bello et al. 2016): what is small stays, nothing passes the limit.
#include "lib/exponentials.wgsl"

fn activate(value: vec4f) -> vec4f {
  return shape.limit * hyperbolicTangent(value / shape.limit);
}
