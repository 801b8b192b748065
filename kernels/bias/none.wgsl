// The sums as they are.
fn biased(group: u32, lane: u32, first: u32, values: array<vec4f, QUADS>) -> array<vec4f, QUADS> {
  return values;
}
