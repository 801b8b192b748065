// Rotary position embedding of a quad, channels 2i and 2i + 1 together; `turn`: of the first pair in `rotation`.
fn turnPairs(value: vec4f, turn: u32) -> vec4f {
  let first = rotation[turn];
  let second = rotation[turn + 1u];
  return value * vec4f(first.xx, second.xx) + vec4f(-value.y, value.x, -value.w, value.z) * vec4f(first.yy, second.yy);
}
