// x * P(X <= x), X ~ N(0, 1) (Hendrycks and Gimpel 2016), by the error function.
#include "lib/exponentials.wgsl"

fn activate(value: vec4f) -> vec4f {
  let tail = 0.5 * value * complementaryError(abs(value) * 0.70710678);
  return select(tail, value - tail, value > vec4f());
}
