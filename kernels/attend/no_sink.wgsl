
// What the sums are multiplied by and then divided by.
fn withSink(head: u32, largest: f32, total: f32) -> vec2f {
  return vec2f(1.0, total);
}
