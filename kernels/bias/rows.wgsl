// sums + bias, before anything else becomes of them. `first`: where the bias of the matrix's first quad lies.
@group(0) @binding(BIAS) var<storage, read> biasVectors: array<vec4f>;

fn biased(group: u32, lane: u32, first: u32, values: array<vec4f, QUADS>) -> array<vec4f, QUADS> {
  var sums = values;
  #unroll
  for (var q = 0u; q < QUADS; q++) {
    sums[q] += biasVectors[first + min(quadOf(group, q, lane), shape.quads - 1u)];
  }
  return sums;
}
