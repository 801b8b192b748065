// Bits of a float in an order that compares as unsigned; both zeros are one.
fn orderedKey(value: f32) -> u32 {
  let bits = bitcast<u32>(select(value, 0.0, value == 0.0));
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
