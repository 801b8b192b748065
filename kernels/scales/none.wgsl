// Numbers as they are.
const HAS_SCALE = false;
const HAS_OFFSET = false;
const PARTS = 1u;
const SCALE_WORDS = 0u;

alias Scales = u32;

fn loadScales(place: QuadPlace, block: u32) -> Scales {
  return 0u;
}

fn affineOf(scales: Scales, r: u32, part: u32) -> vec2f {
  return vec2f(1.0, 0.0);
}
