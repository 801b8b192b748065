// Channels 2i and 2i + 1 turn together.
fn turnPair(pair: vec2f, cosSin: vec2f) -> vec2f {
  return pair * cosSin.x + vec2f(-pair.y, pair.x) * cosSin.y;
}

fn turnQuad(head: Head, quad: u32, inRotary: u32) -> vec4f {
  let value = normedQuad(head, quad);
  let first = turnPair(value.xy, rotation[head.turns + inRotary * 2u]);
  // A rotary length that is no multiple of four ends inside of a quad.
  if (inRotary * 2u + 1u >= ROTARY_LENGTH / 2u) {
    return vec4f(first, value.zw);
  }
  return vec4f(first, turnPair(value.zw, rotation[head.turns + inRotary * 2u + 1u]));
}
