// Sum over the quads of a block, or of one of its PARTS that have scales of their own. Quad l of the block lies in lane l, or in lane
// l % 4 of the half's load where lanes are four; past eight lanes the eight quads come again or, where PARTS is 1, those of another token.
fn partSum(value: f32, part: u32) -> f32 {
  var sum = value;
  for (var mask = min(LANES, 8u / PARTS) / 2u; mask > 0u; mask /= 2u) {
    sum += fromPartner(sum, mask);
  }
  if (PARTS == 2u && LANES > 4u) {
    sum = numberFromLane(sum, part * 4u);
  }
  return sum;
}
