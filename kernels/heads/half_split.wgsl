// Channels i and i + half of the rotary length turn together; the half is a multiple of four.
const HALF_QUADS = ROTARY_LENGTH / 8u;

fn turnQuad(head: Head, quad: u32, inRotary: u32) -> vec4f {
  let isFirst = inRotary < HALF_QUADS;
  let value = normedQuad(head, quad);
  let other = normedQuad(head, select(quad - HALF_QUADS, quad + HALF_QUADS, isFirst));
  let pair = head.turns + select(inRotary - HALF_QUADS, inRotary, isFirst) * 4u;
  let a = rotation[pair];
  let b = rotation[pair + 1u];
  let c = rotation[pair + 2u];
  let d = rotation[pair + 3u];
  return value * vec4f(a.x, b.x, c.x, d.x) + select(other, -other, isFirst) * vec4f(a.y, b.y, c.y, d.y);
}
