// Scales and offsets of the four rows of a quad, of a part of a block.
struct QuadAffine {
  factors: vec4f,
  offsets: vec4f,
}

fn quadAffine(scales: Scales, part: u32) -> QuadAffine {
  let first = affineOf(scales, 0u, part);
  let second = affineOf(scales, 1u, part);
  let third = affineOf(scales, 2u, part);
  let fourth = affineOf(scales, 3u, part);
  return QuadAffine(vec4f(first.x, second.x, third.x, fourth.x), vec4f(first.y, second.y, third.y, fourth.y));
}
