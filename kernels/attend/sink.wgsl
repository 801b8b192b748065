// One more score for each head; its value is zero (gpt-oss, DeepSeek-V4).
@group(0) @binding(SINKS) var<storage, read> sinks: array<f32>;

// What the sums are multiplied by and then divided by.
fn withSink(head: u32, largest: f32, total: f32) -> vec2f {
  let sink = sinks[head];
  let next = max(largest, sink);
  let rescale = exp(largest - next);
  return vec2f(rescale, total * rescale + exp(sink - next));
}
