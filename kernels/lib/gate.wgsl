// Gated units (Shazeer 2020): activate(gate) * up. With a limit, of DeepSeek-V4 and gpt-oss, gate is no larger, and up
// between it and its negative; gpt-oss adds one to up. Without one the limit is the largest number.
#include ACTIVATION

fn gated(gate: vec4f, up: vec4f) -> vec4f {
  let limit = vec4f(shape.limit);
  return activate(min(gate, limit)) * (clamp(up, -limit, limit) + shape.upOffset);
}
