// How many of `count` the lanes before this one have.
fn countBefore(count: u32, lane: u32) -> u32 {
  var before = 0u;
  for (var other = 0u; other < LANES; other++) {
    let theirs = bitsFromLane(vec4u(count), other).x;
    before += select(0u, theirs, other < lane);
  }
  return before;
}
