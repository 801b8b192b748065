// GELU by its tanh form (Hendrycks and Gimpel 2016): x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
#include "lib/exponentials.wgsl"

fn activate(value: vec4f) -> vec4f {
  // Past 10 it is x or 0; the cube would pass what f32 holds.
  let near = clamp(value, vec4f(-10.0), vec4f(10.0));
  return 0.5 * value * (1.0 + hyperbolicTangent(0.79788456 * (near + 0.044715 * near * near * near)));
}
